"""The keywords of the files: of a single exposure's catalogue, its image, and a reference."""

from __future__ import annotations

from dataclasses import dataclass

from simulate.cards import Card, card, cards
from simulate.conditions import COLOUR_NAME
from simulate.detector import Frame
from simulate.geometry import CHIP_X_PX, CHIP_Y_PX, PIXEL_ARCSEC
from simulate.identity import (
    FILTER_NAMES,
    ccd_of,
    channel_name,
    pid_of,
    quadrant_of,
    rfid_of,
    science_stem,
    utc_text,
)
from simulate.optics import ImageWcs
from simulate.pointing import EXPOSURE_S, Exposure

SOFTWARE = "nightlake simulate"
UNKNOWN = -9999.0  # as the survey writes it; PRESSURE is so in every real header seen
OPENING_S = 0.646  # the shutter opens within the second that OBSMJD names


@dataclass(frozen=True)
class Calibration:
    """What only the header tells of an image.

    Parameters
    ----------
    magzpunc, magzprms, clrcounc : mag, as the keywords of these names.
    n_calibrators : stars behind the zero point.
    read_noise : electrons.
    """

    magzpunc: float
    magzprms: float
    clrcounc: float
    n_calibrators: int
    read_noise: float


def science_keywords(
    exposure: Exposure, rcid: int, frame: Frame, calibration: Calibration, n_rows: int
) -> list[Card]:
    """Keywords of a single exposure's catalogue but its world coordinates."""
    sky = exposure.conditions
    return [
        ("FIELDID", exposure.field, "ZTF field ID number"),
        ("CCDID", ccd_of(rcid)),
        ("QID", quadrant_of(rcid)),
        ("RCID", rcid),
        ("FILTERID", exposure.fid, "Filter ID code"),
        ("FILTER", FILTER_NAMES[exposure.fid], "Filter name"),
        ("EXPID", exposure.expid),
        ("PROGRMID", 1, "Queue program ID"),
        ("OBSJD", round(exposure.obsmjd + 2400000.5, 7), "Julian day corresponds to UTC-OBS (day)"),
        ("OBSMJD", exposure.obsmjd, "MJD corresponds to UTC-OBS (day)"),
        (
            "SHUTOPEN",
            utc_text(exposure.night, exposure.second + OPENING_S),
            "Shutter open time",
        ),
        (
            "SHUTCLSD",
            utc_text(exposure.night, exposure.second + OPENING_S + EXPOSURE_S),
            "Shutter close time",
        ),
        ("EXPTIME", EXPOSURE_S, "Requested Exposure Time (s)"),
        ("TELRAD", round(exposure.field_deg[0], 5), "Telescope right ascension (deg)"),
        ("TELDECD", round(exposure.field_deg[1], 5), "Telescope declination (deg)"),
        ("AIRMASS", exposure.airmass, "Airmass (Hardie)"),
        ("MAGZP", frame.magzp, "Magnitude zero point for PSF-photometry [mag]"),
        ("MAGZPUNC", calibration.magzpunc, "Magnitude zero point uncertainty [mag]"),
        ("MAGZPRMS", calibration.magzprms, "Magnitude zero point RMS deviation [mag]"),
        ("CLRCOEFF", frame.clrcoeff, "Color coefficient from linear fit"),
        ("CLRCOUNC", calibration.clrcounc, "Color coefficient uncertainty"),
        ("PCOLOR", COLOUR_NAME[exposure.fid], "Calibrator color used"),
        ("NMATCHES", calibration.n_calibrators, "Number of photometric calibrators used"),
        ("SATURATE", frame.saturate_dn, "Saturation value in final science image [DN]"),
        ("SEEING", frame.seeing_px, "seeing FWHM [pixels]"),
        ("MAGLIM", frame.limit_mag, "5-sigma mag-limit in PSF-fit catalog [mag]"),
        ("GAIN", frame.gain, "Gain e-/adu"),
        ("READNOI", calibration.read_noise, "Read noise e-"),
        ("INFOBITS", sky.infobits, "infoBits string; bit(s) = null"),
        ("TEMPTURE", sky.temperature_c, "Outside air temperature (C)"),
        ("HUMIDITY", sky.humidity_percent, "Humidity"),
        ("PRESSURE", UNKNOWN, "Atmospheric pressure, millibars"),
        ("NSOURCES", n_rows, "Total number of sources"),
        ("PSFRUNSW", SOFTWARE, "This file is simulated"),
        ("INPUTIMG", f"{_stem(exposure, rcid)}_sciimg.fits"),
    ]


def _stem(exposure: Exposure, rcid: int) -> str:
    return science_stem(exposure.file_time, exposure.field, exposure.fid, rcid)


def full_header(keywords: list[Card], wcs: ImageWcs) -> list[str]:
    """Cards of a psfcat that tells all."""
    return cards(keywords) + cards(wcs.cards)


MINIMAL = ("OBSMJD", "FIELDID", "FILTERID", "MAGZP")


def minimal_header(keywords: list[Card]) -> list[str]:
    """Cards of a psfcat that tells only what is evidenced of single exposures."""
    return cards(row for row in keywords if row[0] in MINIMAL)


def image_header(exposure: Exposure, rcid: int, keywords: list[Card], wcs: ImageWcs) -> list[str]:
    """Cards of the science image itself, for the .hdr file beside the catalogue."""
    skipped = ("NSOURCES", "PSFRUNSW", "INPUTIMG")
    return [
        *cards(
            [
                ("SIMPLE", True, "file does conform to FITS standard"),
                ("BITPIX", -32),
                ("NAXIS", 2),
                ("NAXIS1", CHIP_X_PX),
                ("NAXIS2", CHIP_Y_PX),
                ("BUNIT", "Data Value"),
                ("ORIGIN", SOFTWARE, "This header is simulated"),
                ("FILENAME", f"{_stem(exposure, rcid)}_sciimg.fits"),
                ("PIXSCALE", PIXEL_ARCSEC, "Pixel scale, in arcsec per pixel"),
            ]
        ),
        *cards(row for row in keywords if row[0] not in skipped),
        card("HJD", round(exposure.obsmjd + 2400000.5, 7), "Heliocentric Julian Day (days)"),
        *cards(wcs.cards),
        *cards(
            [
                ("STATUS", int(exposure.conditions.infobits < 1 << 25), "0 = bad; 1 = usable"),
                ("DBPID", pid_of(exposure.expid, rcid), "Database processed-image ID"),
            ]
        ),
    ]


def reference_header(
    field: int, rcid: int, frame: Frame, calibration: Calibration, n_rows: int
) -> list[str]:
    """Cards of a reference catalogue: the keywords of a real one, in its order."""
    name = f"ztf_{channel_name(field, frame.fid, rcid)}"
    return cards(
        [
            ("PSFRUNSW", SOFTWARE, "This file is simulated"),
            ("INPUTIMG", f"{name}_refimg.fits", "Input image file used"),
            ("INPUTPSF", f"{name}_refdao.psf", "Input PSF file used"),
            ("NSOURCES", n_rows, "Total number of sources"),
            ("MAGZP", frame.magzp, "Magnitude zero point [mag]"),
            ("NMATCHES", calibration.n_calibrators, "Number of photometric calibrators used"),
            ("MAGZPUNC", calibration.magzpunc, "Magnitude zero point uncertainty [mag]"),
            ("MAGZPRMS", calibration.magzprms, "Magnitude zero point RMS deviation [mag]"),
            ("CLRCOEFF", frame.clrcoeff, "Color coefficient from linear fit"),
            ("CLRCOUNC", calibration.clrcounc, "Color coefficient uncertainty"),
            ("PCOLOR", COLOUR_NAME[frame.fid].replace(" ", ""), "Calibrator color used"),
            ("FIELDID", field, "Field identifier"),
            ("CCDID", ccd_of(rcid), "CCD identifier [1..16]"),
            ("QID", quadrant_of(rcid), "Quadrant image identifier [1..4]"),
            ("RCID", rcid, "Readout-channel identifier [0..63]"),
            ("FILTERID", frame.fid, "Filter identifier"),
            ("RFID", rfid_of(field, frame.fid, rcid), "Reference image identifier"),
            ("INFOBITS", 0, "Processing status bits: see image header"),
        ]
    )
