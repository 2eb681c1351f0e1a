"""The files are what astropy and the real archive say they should be."""

from __future__ import annotations

import math
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from realdata import REAL, needs_real

from simulate import SurveyPlan, SurveySummary, simulate_survey

REAL_PSFCAT = REAL / "psfcat" / "ztf_20200924431759_000655_zr_c13_o_q3_psfcat.fits"
REAL_REFPSFCAT = REAL / "psfcat" / "ztf_000633_zr_c07_q4_refpsfcat.fits"
one_microdegree = 1e-6


def psfcats(survey: SurveySummary) -> list[Path]:
    return sorted(survey.directory.glob("sci/*/*/*/*_psfcat.fits"))


def refpsfcats(survey: SurveySummary) -> list[Path]:
    return sorted(survey.directory.glob("ref/*/*_refpsfcat.fits"))


def read_table(path: Path) -> Table:
    # The survey's own unit DN is none of FITS's.
    return Table.read(path, hdu=1, unit_parse_strict="silent")


def layout(path: Path) -> list[tuple[str, str, str | None]]:
    columns = fits.getheader(path, 1)
    return [
        (
            columns[f"TTYPE{i}"],
            columns[f"TFORM{i}"].removeprefix("1"),
            columns.get(f"TUNIT{i}"),
        )
        for i in range(1, columns["TFIELDS"] + 1)
    ]


def test_summary_counts_the_files_and_rows(survey: SurveySummary) -> None:
    assert len(psfcats(survey)) == survey.n_images == survey.n_exposures * 2 == 16
    assert len(refpsfcats(survey)) == survey.n_references == 4
    assert sum(fits.getheader(p, 1)["NAXIS2"] for p in psfcats(survey)) == survey.n_rows > 2000
    rows = sum(fits.getheader(p, 1)["NAXIS2"] for p in refpsfcats(survey))
    assert rows == survey.n_reference_rows


def test_nothing_hidden_is_left(survey: SurveySummary) -> None:
    assert not [p for p in survey.directory.rglob("*") if p.name.startswith(".")]


def test_astropy_verifies_every_header_and_reads_every_table(survey: SurveySummary) -> None:
    for path in psfcats(survey) + refpsfcats(survey):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            assert hdus[1].name == "PSF_CATALOG"
            assert path.stat().st_size == hdus[1]._data_offset + -(-hdus[1].size // 2880) * 2880
            assert hdus[0].header["NSOURCES"] == len(hdus[1].data) > 0
        table = read_table(path)
        assert table["xpos"].unit == "pix"
        assert (table["sourceid"] == np.arange(len(table))).all()
        assert (np.diff(table["ypos"]) >= 0).all()


@needs_real
def test_schemas_equal_the_real_ones(survey: SurveySummary) -> None:
    assert layout(psfcats(survey)[0]) == layout(REAL_PSFCAT)
    assert layout(refpsfcats(survey)[0]) == layout(REAL_REFPSFCAT)
    for ours, real in ((psfcats(survey)[0], REAL_PSFCAT), (refpsfcats(survey)[0], REAL_REFPSFCAT)):
        # When and by what program a file was made: a simulation has no such moment.
        left_out = {"RUNDATE", "RUNTIME", "PSFRUNVN", "COMMENT", "PSFRUNSW"}
        missing = set(fits.getheader(real)) - set(fits.getheader(ours)) - left_out
        assert not missing


def test_files_are_named_and_lie_as_in_the_archive(survey: SurveySummary) -> None:
    for path in psfcats(survey):
        header = fits.getheader(path)
        moment, code = path.name.split("_")[1], "_gri"[header["FILTERID"]]
        assert path.name == (
            f"ztf_{moment}_{header['FIELDID']:06d}_z{code}_c{header['CCDID']:02d}_o"
            f"_q{header['QID']}_psfcat.fits"
        )
        folder = path.parent.relative_to(survey.directory).as_posix()
        assert folder == f"sci/{moment[:4]}/{moment[4:8]}/{moment[8:]}"
        named = int(moment[8:]) / 1e6 * 86400
        lead_s = (header["OBSMJD"] % 1) * 86400 - named
        assert 0 < lead_s <= 120
    for path in refpsfcats(survey):
        header = fits.getheader(path)
        assert path.parent.name == f"{header['FIELDID']:06d}"
        assert path.name.endswith(f"_c{header['CCDID']:02d}_q{header['QID']}_refpsfcat.fits")


def test_identifiers_follow_from_one_another(survey: SurveySummary) -> None:
    for path in psfcats(survey):
        header = fits.getheader(path)
        assert header["EXPID"] == math.floor((header["OBSMJD"] - 57754) * 1e5)
        assert header["RCID"] == 4 * (header["CCDID"] - 1) + header["QID"] - 1
        assert header["OBSJD"] == pytest.approx(header["OBSMJD"] + 2400000.5, abs=1e-7)
        assert header["SHUTOPEN"][:10] in ("2024-01-10", "2024-01-12")
    for path in refpsfcats(survey):
        h = fits.getheader(path)
        assert h["RFID"] == h["FIELDID"] * 10**6 + 120_000 + h["FILTERID"] * 100 + h["RCID"]


def test_exposures_lie_in_the_night_and_apart(survey: SurveySummary) -> None:
    starts = sorted({fits.getheader(path)["OBSMJD"] for path in psfcats(survey)})
    assert len(starts) == survey.n_exposures
    assert min(np.diff(starts)) * 86400 >= 40
    hours = (np.array(starts) % 1) * 24
    assert (hours >= 3).all()
    assert (hours <= 13).all()
    assert max(fits.getheader(path)["AIRMASS"] for path in psfcats(survey)) <= 2.5


def test_positions_are_those_of_the_header_and_the_pixels(survey: SurveySummary) -> None:
    for path in psfcats(survey):
        with warnings.catch_warnings():
            # The header is that of an image, and HDU 0 of a catalogue has none.
            warnings.filterwarnings("ignore", message=".*more axes")
            wcs = WCS(fits.getheader(path))
        table = read_table(path)
        world = wcs.all_pix2world(np.stack([table["xpos"], table["ypos"]], axis=1), 1)
        assert np.abs(world - np.stack([table["ra"], table["dec"]], axis=1)).max() < one_microdegree


def test_magnitude_flux_and_noise_agree(survey: SurveySummary) -> None:
    for path in psfcats(survey) + refpsfcats(survey):
        t = read_table(path)
        np.testing.assert_allclose(t["mag"], -2.5 * np.log10(t["flux"]), atol=6e-4)
        np.testing.assert_allclose(t["snr"], t["flux"] / t["sigflux"], atol=6e-3)
        # Both are rounded: sigmag to 0.001, snr to 0.01.
        np.testing.assert_allclose(t["sigmag"], 1.0857 / t["snr"], atol=1.2e-3)
        assert t["snr"].min() >= (3 if "ref" in path.name else 5)


def test_limit_is_where_the_noise_is_a_fifth(survey: SurveySummary) -> None:
    for path in psfcats(survey):
        header, t = fits.getheader(path), read_table(path)
        faint = t[(t["snr"] < 6) & (t["flags"] == 0)]
        limit = header["MAGZP"] - 2.5 * np.log10(5 * faint["sigflux"])
        assert np.median(limit) == pytest.approx(header["MAGLIM"], abs=0.08)


def test_edges_and_saturation_are_flagged(survey: SurveySummary) -> None:
    edges = saturated = 0
    for path in psfcats(survey):
        t, header = read_table(path), fits.getheader(path)
        near = (t["xpos"] < 3) | (t["ypos"] < 3) | (t["xpos"] > 3070) | (t["ypos"] > 3078)
        assert (t["flags"][near] == -1).all()
        far = (t["xpos"] > 6) & (t["ypos"] > 6) & (t["xpos"] < 3066) & (t["ypos"] < 3074)
        assert (t["flags"][far] >= 0).all()
        edges += (t["flags"] == -1).sum()
        full = (t["flags"] >= 0) & (t["flags"] & 256 > 0)
        saturated += full.sum()
        peak = 0.8825 * t["flux"] / header["SEEING"] ** 2
        assert (peak[full] > 0.5 * header["SATURATE"]).all()
        assert (full[far & (peak > 1.2 * header["SATURATE"])]).all()
        assert t["xpos"].min() > 0.4
        assert t["ypos"].max() < 3081
    assert edges > 0
    assert saturated > 0


def test_bad_exposures_say_so_on_every_channel(survey: SurveySummary) -> None:
    bits: dict[int, set[int]] = {}
    for path in psfcats(survey):
        header = fits.getheader(path)
        bits.setdefault(header["EXPID"], set()).add(header["INFOBITS"])
    assert all(len(of_exposure) == 1 for of_exposure in bits.values())
    bad = [b for (b,) in bits.values() if b >= 33554432]
    assert 0 < len(bad) < len(bits)
    assert all(b == 0 for (b,) in bits.values() if b < 33554432)


def test_minimal_headers_leave_the_rest_to_the_image_header(tmp_path: Path) -> None:
    plan = SurveyPlan(
        nights=(date(2024, 1, 10),), fields=(655,), channels=(50,), filters=(2,),
        exposures_per_night=1, sources_per_quadrant=50, header="minimal", flags=False,
    )  # fmt: skip
    survey = simulate_survey(tmp_path, plan, workers=1)
    (path,) = psfcats(survey)
    header = fits.getheader(path)
    structure = {"SIMPLE", "BITPIX", "NAXIS", "EXTEND"}
    assert set(header) - structure == {"OBSMJD", "FIELDID", "FILTERID", "MAGZP"}
    assert layout(path)[-1][0] == "sharp"
    assert len(read_table(path)) == survey.n_rows
    beside = path.with_name(path.name.replace("_psfcat.fits", "_sciimg.hdr"))
    lines = beside.read_text("ascii").splitlines()
    assert {len(line) for line in lines} == {80}
    image = fits.Header.fromstring("".join(lines))
    assert image["NAXIS1"] == 3072
    assert image["OBSMJD"] == header["OBSMJD"]
    assert image["DBPID"] == image["EXPID"] * 10_000 + 50 * 100 + 15
    assert image["PV1_16"] != 0


@needs_real
def test_image_headers_have_the_form_of_the_real_ones(tmp_path: Path) -> None:
    plan = SurveyPlan(
        nights=(date(2024, 1, 10),), fields=(655,), channels=(50,), filters=(2,),
        exposures_per_night=1, sources_per_quadrant=50, header="minimal",
    )  # fmt: skip
    simulate_survey(tmp_path, plan, workers=1)
    (ours,) = tmp_path.rglob("*_sciimg.hdr")
    real = REAL / "headers" / "ztf_20200924431759_000655_zr_c13_o_q3_sciimg.hdr"
    ours_cards, real_cards = (
        fits.Header.fromstring("".join(p.read_text("ascii").splitlines())) for p in (ours, real)
    )
    extra = {key for key in ours_cards if key not in real_cards}
    assert extra <= {"PV1_0", "PV1_2", "PV2_0", "PV2_2", "DBPID", "STATUS"}
