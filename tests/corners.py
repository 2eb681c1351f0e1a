"""Archives of stars about a corner of four pixels, measured night by night with scatter.

Each night sees each star of a channel once, a little off its reference source: some rows lie in
another pixel than their object. Some rows have no reference source, one image a night is bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
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
from skies import margins

from store.contract import DETECTIONS, IMAGES, NIGHTS
from store.files import write_table
from store.layout import Layout
from store.manifest import Manifest, night_group, references_group
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import Snapshot

CHANNELS = (Channel(), Channel(fid=1), Channel(field=634))
# Where four pixels of order 5 meet.
CORNER = (33.75, np.degrees(np.arcsin(1 / 3)))
ORDER = 5
STRANGERS = 5
_MJD_EPOCH = date(1858, 11, 17)


def stars(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Places of stars: half of them within 8 arcsec of the corner, the others all about it."""
    near = cluster(*CORNER, n=n // 2, spread_arcsec=8)
    far = cluster(*CORNER, n=n - n // 2, spread_arcsec=9000)
    ra, dec = (np.concatenate(pair) for pair in zip(near, far, strict=True))
    return ra, dec


def corner_archive(path: Path, n_nights: int = 3, **settings: float) -> Snapshot:
    """An archive of references and nights."""
    create_archive(path, ArchiveSettings(name="corner", partition_order=ORDER, **settings))
    snapshot = add_references(path, *stars())
    for k in range(n_nights):
        snapshot = add_night(path, FIRST_NIGHT + timedelta(days=k), *stars())
    return snapshot


def add_references(
    path: Path, ra: np.ndarray, dec: np.ndarray, channels: Sequence[Channel] = CHANNELS
) -> Snapshot:
    """Publish the stars as the reference of each channel, each channel's a little off."""
    changed = {}
    for field in sorted({channel.field for channel in channels}):
        files = [
            entry
            for channel in channels
            if channel.field == field
            for entry in reference_files(
                Layout(path), channel, ra + 1e-6 * channel.fid, dec + 1e-6 * channel.rcid, ORDER
            )
        ]
        changed[references_group(field)] = Manifest.of(references_group(field), files)
    return publish(path, changed, "references")


def add_night(
    path: Path, night: date, ra: np.ndarray, dec: np.ndarray, seed: int = 0
) -> Snapshot:  # fmt: skip
    """Publish a night, in the place of what there is of it; another seed gives other rows."""
    layout, part = Layout(path), f"{night:%Y%m%d}"
    rng = np.random.default_rng((night.toordinal(), seed))
    measured = [_image(rng, night, k, ra, dec, seed) for k in range(len(CHANNELS))]
    rows = pa.concat_tables([one for one, _ in measured])
    images = pa.concat_tables([one for _, one in measured]).sort_by("pid")
    files = [
        *spatial_files(layout, DETECTIONS, rows, part, ORDER),
        *margins(layout, part, [rows]),
        write_table(layout, IMAGES, images, part),
        write_table(layout, NIGHTS, table_of(NIGHTS, 1, night=night), part),
    ]
    return publish(path, {night_group(night): Manifest.of(night_group(night), files)}, part)


def _image(
    rng: np.random.Generator, night: date, k: int, ra: np.ndarray, dec: np.ndarray, seed: int
) -> tuple[pa.Table, pa.Table]:
    """The rows of one image, and its row in `images`."""
    channel, n = CHANNELS[k], len(ra)
    obsmjd = (night - _MJD_EPOCH).days + 0.25 + k / 24
    expid = int((obsmjd - 57754) * 1e5)
    scatter = np.clip(rng.normal(0, 0.4, (2, n)), -1, 1) / 3600
    ra = np.concatenate([ra + scatter[0], ra[:STRANGERS] + 4 / 3600])
    dec = np.concatenate([dec + scatter[1], dec[:STRANGERS] + 4 / 3600])
    nothing = [None] * STRANGERS
    is_bad = k == 1
    shared = {"night": night, "expid": expid, **channel.identifiers}
    rows = table_of(
        DETECTIONS,
        n + STRANGERS,
        _healpix_29=healpix(ra, dec),
        oid=channel.oids(n).tolist() + nothing,
        sourceid=np.arange(n + STRANGERS),
        ra=ra,
        dec=dec,
        hmjd=obsmjd + 0.004 + 1e-7 * np.arange(n + STRANGERS),
        mag=rng.uniform(15, 20, n + STRANGERS),
        magerr=rng.uniform(0.01, 0.1, n + STRANGERS),
        catflags=np.where(rng.random(n + STRANGERS) < 0.2, 4, 0) | 32768 * is_bad,
        match_arcsec=[0.4] * n + nothing,
        match_rank=[1] * n + nothing,
        **shared,
    )
    image = table_of(
        IMAGES,
        1,
        pid=expid * 10**4 + channel.rcid * 100 + 15,
        ra=ra.mean(),
        dec=dec.mean(),
        obsmjd=obsmjd,
        is_bad=is_bad,
        limitmag=20.5 + k,
        filtercode={1: "zg", 2: "zr"}[channel.fid],
        recipe=f"{night} {k} {seed}",
        **shared,
    )
    return rows, image
