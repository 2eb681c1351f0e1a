"""A small survey of random numbers: what queries that compute are held to.

Three channels over some nights, two images each a night; their sources measured with noise, some
of them varying; what no reference has at known places; bad images, and one without references.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from archives import (
    FIRST_NIGHT,
    Channel,
    cluster,
    healpix,
    reference_files,
    spatial_files,
    table_of,
)

from store.channel import FILTERCODES
from store.contract import DETECTIONS, EXPOSURES, IMAGES, NIGHTS, OBJECTS
from store.files import write_table
from store.layout import HEALPIX_ORDER, HealpixPixel, Layout
from store.manifest import (
    Manifest,
    lightcurve_part,
    lightcurves_group,
    night_group,
    references_group,
)
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import Snapshot

CHANNELS = (Channel(fid=1), Channel(fid=2), Channel(fid=2, qid=3))
# What no reference has, seen in every zr image of quadrant 4; two are at the seam and the pole.
NEW_PLACES = ((10.002, 45.001), (10.01, 45.0), (0.00003, 12.0), (77.0, 89.9999))
N_SOURCES = 12
ORDER = 5


@dataclass(frozen=True)
class Survey:
    """The archive, and its tables as they were written."""

    snapshot: Snapshot
    images: pl.DataFrame
    detections: pl.DataFrame
    objects: pl.DataFrame


def survey(path: Path, *, n_nights: int, seed: int = 1) -> Survey:
    """Write one."""
    rng = np.random.default_rng(seed)
    create_archive(path, ArchiveSettings(name="survey", partition_order=ORDER))
    layout = Layout(path)
    places = [cluster(10, 45, n=N_SOURCES, seed=i) for i in range(len(CHANNELS))]
    group = references_group(633)
    files = [
        entry
        for channel, place in zip(CHANNELS, places, strict=True)
        for entry in reference_files(layout, channel, *place, ORDER)
    ]
    changed = {group: Manifest.of(group, files)}
    images, detections = [], []
    for i in range(n_nights):
        night = FIRST_NIGHT + timedelta(days=i)
        part = f"{night:%Y%m%d}"
        of_night, measured = [], []
        for j, channel in enumerate(CHANNELS):
            for k in range(2):
                image, rows = _image(rng, night, 10 * i + 3 * k + j, channel, places[j])
                of_night.append(image)
                measured.append(rows)
        image_rows, rows = pa.concat_tables(of_night), pa.concat_tables(measured)
        night_row = table_of(NIGHTS, 1, night=night, n_images=len(of_night), n_exposures=2)
        exposure_rows = table_of(
            EXPOSURES, len(of_night), night=night,
            **{c: image_rows[c].to_numpy() for c in ("expid", "obsmjd", "field", "fid")},
        )  # fmt: skip
        files = [
            *spatial_files(layout, DETECTIONS, rows, part, ORDER),
            write_table(layout, IMAGES, image_rows, part),
            write_table(layout, EXPOSURES, exposure_rows, part),
            write_table(layout, NIGHTS, night_row, part),
        ]
        changed[night_group(night)] = Manifest.of(night_group(night), files)
        images.append(image_rows)
        detections.append(rows)
    objects = _objects(rng)
    pixel = HealpixPixel(
        ORDER, int(objects["_healpix_29"][0].as_py()) >> 2 * (HEALPIX_ORDER - ORDER)
    )
    files = spatial_files(layout, OBJECTS, objects, lightcurve_part(pixel), ORDER)
    changed[lightcurves_group(pixel)] = Manifest.of(lightcurves_group(pixel), files)
    return Survey(
        publish(path, changed, "test"),
        pl.DataFrame(pl.from_arrow(pa.concat_tables(images))),
        pl.DataFrame(pl.from_arrow(pa.concat_tables(detections))),
        pl.DataFrame(pl.from_arrow(objects)),
    )


def _image(
    rng: np.random.Generator,
    night: Any,
    number: int,
    channel: Channel,
    place: tuple[np.ndarray, np.ndarray],
) -> tuple[pa.Table, pa.Table]:
    """A row of images and its detections."""
    ra, dec = place
    n, obsmjd = len(ra), 60319.2 + 0.1 * number
    expid = int((obsmjd - 57754) * 1e5)
    is_bad, has_reference = bool(rng.random() < 0.15), bool(rng.random() > 0.1)
    mag = np.linspace(15, 20, n) + rng.normal(0, 0.02, n)
    mag[::5] += rng.normal(0, 0.5, len(mag[::5]))  # these vary
    oid = pa.array(channel.oids(n).tolist())
    rank = [1] * n
    catflags = np.where(rng.random(n) < 0.1, 4, 0)
    if channel.fid == 2 and channel.qid == 4:
        new = NEW_PLACES
        scatter = 0.2 / 3600
        new_dec = np.clip([dec for _, dec in new] + rng.normal(0, scatter, len(new)), -90, 90)
        stretch = np.cos(np.radians([dec for _, dec in new]))
        new_ra = ([ra for ra, _ in new] + rng.normal(0, scatter, len(new)) / stretch) % 360
        # … and a thing that is nowhere twice.
        ra, dec = np.r_[ra, new_ra, rng.uniform(0, 360)], np.r_[dec, new_dec, rng.uniform(-80, 80)]
        mag = np.r_[mag, rng.uniform(17, 19, len(new) + 1)]
        oid = pa.array(oid.to_pylist() + [None] * (len(new) + 1))
        rank += [None] * (len(new) + 1)
        catflags = np.r_[catflags, np.zeros(len(new) + 1, int)]
    catflags = catflags | (32768 if is_bad else 0)
    if not has_reference:
        oid = pa.array([None] * len(ra), pa.int64())
        rank = [None] * len(ra)
    rows = table_of(
        DETECTIONS, len(ra), _healpix_29=healpix(ra, dec), oid=oid.to_pylist(), night=night,
        expid=expid, sourceid=np.arange(len(ra)), ra=ra, dec=dec, hmjd=obsmjd + 0.003, mag=mag,
        magerr=rng.uniform(0.01, 0.05, len(ra)), catflags=catflags, match_rank=rank,
        **channel.identifiers,
    )  # fmt: skip

    def sometimes(value: float) -> float | None:
        return value if rng.random() > 0.1 else None

    n_matched = sum(value is not None for value in oid.to_pylist())
    image = table_of(
        IMAGES, 1, pid=expid * 10**4 + channel.rcid * 100 + 15, expid=expid, night=night,
        filtercode=FILTERCODES[channel.fid], obsmjd=obsmjd, exptime=30.0, ra=ra[0], dec=dec[0],
        airmass=sometimes(rng.uniform(1, 2)), magzp=sometimes(rng.normal(26, 0.1)),
        magzprms=rng.uniform(0.02, 0.05), clrcoeff=rng.normal(0.1, 0.01),
        seeing=sometimes(rng.uniform(1.5, 4)), limitmag=sometimes(rng.normal(20.5, 0.3)),
        is_bad=is_bad, bad_reason="infobits" if is_bad else None,
        reference_state="matched" if has_reference else "no_reference",
        hjd_residual_us=sometimes(rng.uniform(1, 50)), iers_extrapolated=bool(rng.random() < 0.2),
        secz=rng.uniform(1, 2), pixel_scale_arcsec=rng.normal(1.012, 1e-4),
        pct_scale_diff_min=-0.01, pct_scale_diff_max=0.02, pct_scale_diff_rms=rng.uniform(0, 0.01),
        pct_scale_diff_worst=rng.normal(0, 0.01),
        scale_worst_x=1.0, scale_worst_y=1.0, scale_prior="ideal", scale_infobit16=False,
        n_read=len(ra), n_published=len(ra), n_refused=int(rng.integers(0, 3)),
        n_matched=n_matched, n_unmatched=len(ra) - n_matched, **channel.identifiers,
    )  # fmt: skip
    return image, rows


def _objects(rng: np.random.Generator) -> pa.Table:
    """Statistics of some objects; every tenth scatters much."""
    n = 60
    ra, dec = cluster(10, 45, n=n, seed=9)
    medianmag = rng.uniform(14, 18, n)
    magrms = rng.uniform(0.01, 0.02, n) * np.where(np.arange(n) % 10 == 0, 20, 1)
    return table_of(
        OBJECTS, n, _healpix_29=healpix(ra, dec), oid=CHANNELS[1].oids(n), group_id=np.arange(n),
        ra=ra, dec=dec, ngoodobs=rng.integers(5, 40, n), nobs=40, medianmag=medianmag,
        magrms=magrms, chi2=rng.uniform(10, 100, n), **CHANNELS[1].identifiers,
    ).sort_by("_healpix_29")  # fmt: skip
