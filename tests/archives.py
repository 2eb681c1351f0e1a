"""Small synthetic archives, written straight through the store.

One reference channel of a dozen sources about a place, and nights that measured each of them
once: enough to ask questions of, in a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import hpgeom
import numpy as np
import pyarrow as pa
from skies import margins

from store.channel import FILTERCODES, channel_part
from store.columns import Table
from store.contract import (
    DETECTIONS,
    EXPOSURES,
    IMAGES,
    NIGHTS,
    REFERENCE_IMAGES,
    REFERENCE_SOURCES,
    REFUSALS,
)
from store.files import write_table
from store.layout import HEALPIX_ORDER, HealpixPixel, Layout
from store.manifest import REFUSALS as REFUSALS_GROUP
from store.manifest import FileEntry, Manifest, night_group, references_group
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import Snapshot

REFERENCE_CHECKSUM = "0123456789abcdef"
FIRST_NIGHT = date(2024, 1, 10)
_MJD_EPOCH = date(1858, 11, 17)
_ZEROS: dict[str, Any] = {
    "string": "",
    "bool": False,
    "date32": FIRST_NIGHT,
}


@dataclass(frozen=True)
class Channel:
    """One quadrant of one field in one filter."""

    field: int = 633
    fid: int = 2
    ccdid: int = 7
    qid: int = 4

    @property
    def rcid(self) -> int:
        return 4 * (self.ccdid - 1) + self.qid - 1

    @property
    def part(self) -> str:
        return channel_part(self.field, self.fid, self.ccdid, self.qid)

    @property
    def identifiers(self) -> dict[str, int]:
        return {
            "field": self.field,
            "fid": self.fid,
            "ccdid": self.ccdid,
            "qid": self.qid,
            "rcid": self.rcid,
        }

    def oids(self, n: int) -> np.ndarray:
        first = self.field * 10**12 + self.fid * 10**11 + self.ccdid * 10**9 + self.qid * 10**8
        return first + np.arange(n)


def nightly(
    path: Path,
    ra: np.ndarray,
    dec: np.ndarray,
    *,
    n_nights: int = 2,
    channels: Sequence[Channel] = (Channel(),),
    order: int = 5,
    programs: Sequence[int | None] = (None,),
) -> Snapshot:
    """An archive where every channel's reference is (ra, dec), measured once each night.

    `programs` are the programmes of its nights, in turn.
    """
    create_archive(path, ArchiveSettings(name="test", partition_order=order))
    layout = Layout(path)
    changed = {}
    for field in sorted({channel.field for channel in channels}):
        files = [
            entry
            for channel in channels
            if channel.field == field
            for entry in reference_files(layout, channel, ra, dec, order)
        ]
        changed[references_group(field)] = Manifest.of(references_group(field), files)
    for i in range(n_nights):
        night = FIRST_NIGHT + timedelta(days=i)
        program = programs[i % len(programs)]
        files = night_files(layout, night, channels, ra, dec, order, programid=program)
        changed[night_group(night)] = Manifest.of(night_group(night), files)
    refusals = table_of(
        REFUSALS,
        1,
        night=[None],
        input_file=["ztf_bad_psfcat.fits"],
        code=["truncated"],
        what=["ends after 100 bytes"],
        hint=["Fetch the file again."],
    )
    entry = write_table(layout, REFUSALS, refusals, "refusals")
    changed[REFUSALS_GROUP] = Manifest.of(REFUSALS_GROUP, [entry])
    return publish(path, changed, "test")


def reference_files(
    layout: Layout,
    channel: Channel,
    ra: np.ndarray,
    dec: np.ndarray,
    order: int,
    checksum: str = REFERENCE_CHECKSUM,
) -> list[FileEntry]:
    """The files of one reference channel."""
    rfid = channel.field * 10**6 + 120_000 + channel.fid * 100 + channel.rcid
    sources = table_of(
        REFERENCE_SOURCES,
        len(ra),
        _healpix_29=healpix(ra, dec),
        oid=channel.oids(len(ra)),
        rfid=rfid,
        sourceid=np.arange(len(ra)),
        ra=ra,
        dec=dec,
        mag=magnitudes(len(ra)),
        magerr=0.01,
        **channel.identifiers,
    )
    image = table_of(
        REFERENCE_IMAGES,
        1,
        rfid=rfid,
        filtercode=FILTERCODES[channel.fid],
        input_checksum=checksum,
        **channel.identifiers,
    )
    return [
        *spatial_files(layout, REFERENCE_SOURCES, sources, channel.part, order),
        write_table(layout, REFERENCE_IMAGES, image, channel.part),
    ]


def night_files(
    layout: Layout,
    night: date,
    channels: Sequence[Channel],
    ra: np.ndarray,
    dec: np.ndarray,
    order: int,
    reference_checksum: str = REFERENCE_CHECKSUM,
    programid: int | None = None,
) -> list[FileEntry]:
    """The files of one night: one exposure of each channel, an hour apart."""
    n = len(ra)
    part = f"{night:%Y%m%d}"
    start = (night - _MJD_EPOCH).days + 0.25
    detections, images, exposures = [], [], []
    for i, channel in enumerate(channels):
        obsmjd = start + i / 24
        expid = int((obsmjd - 57754) * 1e5)
        filtercode = FILTERCODES[channel.fid]
        wave = 0.3 * np.sin(2 * np.pi * obsmjd / 0.56)
        detections.append(
            table_of(
                DETECTIONS,
                n,
                _healpix_29=healpix(ra, dec),
                oid=channel.oids(n),
                night=night,
                expid=expid,
                sourceid=np.arange(n),
                ra=ra,
                dec=dec,
                hmjd=obsmjd + 0.004,
                mag=magnitudes(n) + wave,
                magerr=0.02,
                catflags=np.where(np.arange(n) % 7 == 3, 65535, 0),
                match_arcsec=0.1,
                match_rank=1,
                **channel.identifiers,
            )
        )
        shared = {
            "expid": expid, "night": night, "filtercode": filtercode, "obsmjd": obsmjd,
            "programid": programid,
        }  # fmt: skip
        images.append(
            table_of(
                IMAGES,
                1,
                pid=expid * 10**4 + channel.rcid * 100 + 15,
                ra=ra[0],
                dec=dec[0],
                n_published=n,
                n_matched=n,
                reference_checksum=reference_checksum,
                magzp=26.2,
                limitmag=20.8,
                exptime=30.0,
                **shared,
                **channel.identifiers,
            )
        )
        exposures.append(
            table_of(EXPOSURES, 1, field=channel.field, fid=channel.fid, n_images=1, **shared)
        )
    record = table_of(
        NIGHTS,
        1,
        night=night,
        first_obsmjd=start,
        last_obsmjd=start + (len(channels) - 1) / 24,
        n_images=len(channels),
        n_exposures=len(channels),
        n_published=n * len(channels),
        n_matched=n * len(channels),
    )
    measured = pa.concat_tables(detections)
    return [
        *spatial_files(layout, DETECTIONS, measured, part, order),
        *margins(layout, part, [measured]),
        write_table(layout, IMAGES, pa.concat_tables(images), part),
        write_table(layout, EXPOSURES, pa.concat_tables(exposures), part),
        write_table(layout, NIGHTS, record, part),
    ]


def spatial_files(
    layout: Layout, table: Table, rows: pa.Table, part: str, order: int
) -> list[FileEntry]:
    """The rows, one file a pixel, sorted as the contract says."""
    rows = rows.sort_by([(name, "ascending") for name in table.sort])
    npix = rows["_healpix_29"].to_numpy() >> (2 * (HEALPIX_ORDER - order))
    return [
        write_table(layout, table, rows.filter(pa.array(npix == k)), part, HealpixPixel(order, k))
        for k in np.unique(npix).tolist()
    ]


def table_of(table: Table, n: int, **values: Any) -> pa.Table:
    """`n` rows of a contract table; a scalar fills its column, what is missing is null or zero."""
    columns = []
    for column in table.columns:
        if column.name in values:
            given = values[column.name]
        else:
            given = None if column.nullable else _ZEROS.get(column.dtype, 0)
        filled = given if isinstance(given, (list, np.ndarray)) else [given] * n
        columns.append(pa.array(filled, from_pandas=True).cast(column.field().type))
    return pa.table(columns, schema=table.schema())


def healpix(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """`_healpix_29` of each place."""
    return hpgeom.angle_to_pixel(2**HEALPIX_ORDER, ra, dec, nest=True)


def magnitudes(n: int) -> np.ndarray:
    """Magnitudes 15 to 20."""
    return np.linspace(15, 20, n)


def cluster(
    ra_deg: float, dec_deg: float, n: int = 12, spread_arcsec: float = 60, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """`n` places about one, uniform on the sphere's disc of that radius, right at the poles.

    The first is the centre itself.
    """
    rng = np.random.default_rng(seed)
    distance = np.radians(spread_arcsec / 3600) * np.sqrt(rng.uniform(size=n))
    bearing = rng.uniform(0, 2 * np.pi, n)
    distance[0] = 0.0
    dec0 = np.radians(dec_deg)
    sin_dec = np.sin(dec0) * np.cos(distance) + np.cos(dec0) * np.sin(distance) * np.cos(bearing)
    dec = np.arcsin(np.clip(sin_dec, -1, 1))
    east = np.sin(bearing) * np.sin(distance) * np.cos(dec0)
    ra = np.radians(ra_deg) + np.arctan2(east, np.cos(distance) - np.sin(dec0) * sin_dec)
    return np.degrees(ra) % 360, np.degrees(dec)
