"""An archive of many nights, as deep as years of a survey, its rows straight from numbers.

Quadrants of one field are measured several times each night: every source of their references, a
few of them not, and a few that are no reference source. What is written is a real archive, which
`nightlake verify` finds sound; only the pixels and the ingest are left out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import hpgeom
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.borders import nearby
from store.channel import FILTERCODES, channel_part
from store.columns import Table
from store.contract import (
    DETECTIONS,
    DETECTIONS_MARGIN,
    EXPOSURES,
    IMAGES,
    NIGHTS,
    REFERENCE_IMAGES,
    REFERENCE_SOURCES,
)
from store.files import write_table
from store.layout import HEALPIX_ORDER, HealpixPixel, Layout
from store.manifest import FileEntry, Manifest, night_group, references_group
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import Snapshot, open_snapshot

Floats = NDArray[np.float64]

FIELD, FID = 633, 2
CCDIDS, QID = (5, 6, 7, 8, 9, 10, 11, 12), 4
FIRST_NIGHT = date(2024, 1, 10)
CENTRE = (255.0, 30.0)
QUADRANT_DEG = 0.86
# Small archives have fewer quadrants rather than emptier ones.
SOURCES_OF_QUADRANT = 2_000
MISSED, UNMATCHED = 0.02, 0.02
SCATTER_ARCSEC = 0.1
MATCH_RADIUS_ARCSEC = 1.5
CHECKSUM = "0123456789abcdef" * 2
_MJD_EPOCH = date(1858, 11, 17)


@dataclass(frozen=True)
class Survey:
    """How much there is: sources of all quadrants together, nights, epochs of a source."""

    sources: int
    nights: int
    epochs: int

    @property
    def dates(self) -> list[date]:
        """Its nights."""
        return [FIRST_NIGHT + timedelta(days=i) for i in range(self.nights)]

    def exposures(self, number: int) -> int:
        """Exposures of a night, by its number: as many in all as there are epochs."""
        return self.epochs * (number + 1) // self.nights - self.epochs * number // self.nights

    @cached_property
    def quadrants(self) -> list[Quadrant]:
        """The quadrants, with a part of the sources each."""
        some = CCDIDS[: max(1, min(len(CCDIDS), self.sources // SOURCES_OF_QUADRANT))]
        return [Quadrant(ccdid, self.sources // len(some)) for ccdid in some]

    @property
    def oid(self) -> NDArray[np.int64]:
        """Ids of all sources."""
        return np.concatenate([quadrant.oid for quadrant in self.quadrants])

    @property
    def place(self) -> tuple[Floats, Floats]:
        """Right ascension and declination of all sources, in the same order, degrees."""
        ra, dec = zip(*(quadrant.place for quadrant in self.quadrants), strict=True)
        return np.concatenate(ra), np.concatenate(dec)


@dataclass(frozen=True)
class Quadrant:
    """One quadrant of the field, and the sources of its reference."""

    ccdid: int
    n: int

    @property
    def identifiers(self) -> dict[str, int]:
        """The columns that name it."""
        rcid = 4 * (self.ccdid - 1) + QID - 1
        return {"field": FIELD, "fid": FID, "ccdid": self.ccdid, "qid": QID, "rcid": rcid}

    @property
    def part(self) -> str:
        """The name of its channel."""
        return channel_part(FIELD, FID, self.ccdid, QID)

    @cached_property
    def oid(self) -> NDArray[np.int64]:
        """Ids of its sources."""
        first = FIELD * 10**12 + FID * 10**11 + self.ccdid * 10**9 + QID * 10**8
        return first + np.arange(self.n, dtype=np.int64)

    @cached_property
    def place(self) -> tuple[Floats, Floats]:
        """Right ascension and declination of its sources, degrees."""
        rng = np.random.default_rng(self.ccdid)
        column, row = divmod(CCDIDS.index(self.ccdid), 2)
        dec = CENTRE[1] + (row + rng.uniform(-0.5, 0.5, self.n)) * QUADRANT_DEG
        ra = CENTRE[0] + (column + rng.uniform(-0.5, 0.5, self.n)) * QUADRANT_DEG / np.cos(
            np.radians(CENTRE[1])
        )
        return ra, dec

    @cached_property
    def mag(self) -> Floats:
        """Magnitudes of its sources."""
        return np.random.default_rng(100 + self.ccdid).uniform(14, 20.5, self.n)


def create(root: Path, survey: Survey, n_nights: int | None = None) -> Snapshot:
    """The archive with the references and the first nights, or all, published."""
    create_archive(root, ArchiveSettings(name="benchmark", match_radius_arcsec=MATCH_RADIUS_ARCSEC))
    layout, group = Layout(root), references_group(FIELD)
    order = open_snapshot(root).partition_order
    files = [file for quadrant in survey.quadrants for file in _sources(layout, quadrant, order)]
    images = pa.concat_tables([_reference(quadrant) for quadrant in survey.quadrants])
    files.append(write_table(layout, REFERENCE_IMAGES, images, f"{FIELD:06d}"))
    publish(root, {group: Manifest.of(group, files)}, "references")
    return add_nights(root, survey, 0, survey.nights if n_nights is None else n_nights)


def add_nights(root: Path, survey: Survey, first: int, past: int) -> Snapshot:
    """Publish some nights, by their numbers, all at once."""
    numbers = [number for number in range(first, past) if survey.exposures(number)]
    # Half of the time is spent waiting for the disk.
    with ThreadPoolExecutor(4) as threads:
        files = list(threads.map(lambda number: _night(Layout(root), survey, number), numbers))
    groups = [night_group(survey.dates[number]) for number in numbers]
    changed = {group: Manifest.of(group, of) for group, of in zip(groups, files, strict=True)}
    return publish(root, changed, "nights")


def _rfid(quadrant: Quadrant) -> int:
    return FIELD * 10**6 + 120_000 + FID * 100 + quadrant.identifiers["rcid"]


def _sources(layout: Layout, quadrant: Quadrant, order: int) -> list[FileEntry]:
    ra, dec = quadrant.place
    sources = _rows(
        REFERENCE_SOURCES, quadrant.n,
        _healpix_29=_index(ra, dec), oid=quadrant.oid, rfid=_rfid(quadrant),
        sourceid=np.arange(quadrant.n), ra=ra, dec=dec, mag=quadrant.mag, magerr=0.01,
        **quadrant.identifiers,
    )  # fmt: skip
    return _by_pixel(layout, REFERENCE_SOURCES, sources, quadrant.part, order)


def _reference(quadrant: Quadrant) -> pa.Table:
    ra, dec = quadrant.place
    return _rows(
        REFERENCE_IMAGES, 1,
        rfid=_rfid(quadrant), filtercode=FILTERCODES[FID], ra=ra.mean(), dec=dec.mean(),
        n_read=quadrant.n, n_published=quadrant.n, input_file="ztf_refpsfcat.fits",
        input_checksum=CHECKSUM, recipe=CHECKSUM, **quadrant.identifiers,
    )  # fmt: skip


def _night(layout: Layout, survey: Survey, number: int) -> list[FileEntry]:
    night, rng = survey.dates[number], np.random.default_rng(10_000 + number)
    part, start = f"{night:%Y%m%d}", (night - _MJD_EPOCH).days + 0.2
    detections, images, exposures = [], [], []
    for exposure in range(survey.exposures(number)):
        obsmjd = start + exposure * 0.002
        expid = int((obsmjd - 57754) * 1e5)
        taken = {
            "expid": expid, "night": night, "obsmjd": obsmjd, "exptime": 30.0, "programid": 1,
            "filtercode": FILTERCODES[FID],
        }  # fmt: skip
        measured = [_measured(rng, quadrant, night, expid, obsmjd) for quadrant in survey.quadrants]
        detections += measured
        for quadrant, rows in zip(survey.quadrants, measured, strict=True):
            images.append(_image(rng, quadrant, taken, rows))
        exposures.append(
            _rows(EXPOSURES, 1, field=FIELD, fid=FID, airmass=1.2, **_counts(measured), **taken)
        )
    order = open_snapshot(layout.root).partition_order
    rows = pa.concat_tables([DETECTIONS.empty(), *detections]).combine_chunks()
    counts = _counts(detections)
    n = {f"n_{name}": counts["n_published"] for name in ("read", "published")}
    record = _rows(
        NIGHTS, 1, night=night, first_obsmjd=start,
        last_obsmjd=start + (len(exposures) - 1) * 0.002, n_exposures=len(exposures),
        n_images=len(images), n_matched=counts["n_matched"],
        n_unmatched=counts["n_published"] - counts["n_matched"], iers_version="none",
        code_version="benchmark", **n,
    )  # fmt: skip
    return [
        *_by_pixel(layout, DETECTIONS, rows, part, order),
        *_margins(layout, rows, part),
        write_table(layout, IMAGES, pa.concat_tables([IMAGES.empty(), *images]), part),
        write_table(layout, EXPOSURES, pa.concat_tables([EXPOSURES.empty(), *exposures]), part),
        write_table(layout, NIGHTS, record, part),
    ]


def _counts(tables: list[pa.Table]) -> dict[str, int]:
    """What the rows of one exposure's images come to."""
    rows = sum(table.num_rows for table in tables)
    return {
        "n_images": len(tables),
        "n_published": rows,
        "n_matched": rows - sum(table["oid"].null_count for table in tables),
    }


def _measured(
    rng: np.random.Generator, quadrant: Quadrant, night: date, expid: int, obsmjd: float
) -> pa.Table:
    """The rows of one image, in no order."""
    seen = np.flatnonzero(rng.uniform(size=quadrant.n) > MISSED)
    n_more = int(UNMATCHED * quadrant.n)
    n = seen.size + n_more
    at_ra, at_dec = quadrant.place
    # Twice the match radius off at least: no reference source is near them, or hardly one.
    off = np.concatenate([np.zeros(seen.size), np.full(n_more, 2 * MATCH_RADIUS_ARCSEC)]) / 3600
    source = np.concatenate([seen, rng.integers(0, quadrant.n, n_more)])
    scatter = np.clip(rng.normal(0, SCATTER_ARCSEC, (2, n)), -0.7, 0.7) / 3600
    dec = at_dec[source] + scatter[1] + off
    ra = at_ra[source] + scatter[0] / np.cos(np.radians(dec))
    matched = np.arange(n) < seen.size
    oid = pa.array(quadrant.oid[source], mask=~matched)
    separation = 3600 * np.hypot(scatter[0], scatter[1])
    mag = quadrant.mag[source] + rng.normal(0, 0.02, n)
    return _rows(
        DETECTIONS, n,
        _healpix_29=_index(ra, dec), oid=oid, night=night, expid=expid,
        sourceid=np.arange(n), ra=ra, dec=dec, xpos=rng.uniform(1, 3072, n),
        ypos=rng.uniform(1, 3080, n), hmjd=obsmjd + 0.004 + 1e-5 * (dec - CENTRE[1]),
        secz=1.2 + 0.01 * (dec - CENTRE[1]), flux=10 ** (-0.4 * (mag - 26.2)),
        fluxerr=rng.uniform(5, 9, n), mag=mag, magerr=rng.uniform(0.01, 0.03, n),
        clrcorr=rng.normal(0, 0.02, n), chi=rng.lognormal(0, 0.2, n),
        sharp=rng.normal(0, 0.1, n), catflags=np.where(rng.uniform(size=n) < 0.05, 2, 0),
        match_arcsec=pa.array(separation, mask=~matched),
        match_rank=pa.array(np.ones(n), mask=~matched), **quadrant.identifiers,
    )  # fmt: skip


def _image(
    rng: np.random.Generator, quadrant: Quadrant, taken: dict[str, Any], rows: pa.Table
) -> pa.Table:
    n, unmatched = rows.num_rows, rows["oid"].null_count
    ra, dec = quadrant.place
    return _rows(
        IMAGES, 1,
        pid=taken["expid"] * 10**4 + quadrant.identifiers["rcid"] * 100 + 15, ra=ra.mean(),
        dec=dec.mean(), airmass=1.2, secz=1.2, magzp=26.2 + rng.normal(0, 0.05), magzprms=0.03,
        clrcoeff=-0.05, clrcounc=1e-5, seeing=rng.uniform(1.8, 3), limitmag=20.8, infobits=0,
        reference_state="matched", reference_checksum=CHECKSUM,
        match_radius_arcsec=MATCH_RADIUS_ARCSEC, hjd_method="fit", n_read=n, n_published=n,
        n_matched=n - unmatched, n_unmatched=unmatched, input_file="ztf_psfcat.fits",
        input_checksum=CHECKSUM, metadata_from="header", recipe=CHECKSUM,
        filefracday=20240110000000, **taken, **quadrant.identifiers,
    )  # fmt: skip


def _by_pixel(
    layout: Layout, table: Table, rows: pa.Table, part: str, order: int
) -> list[FileEntry]:
    """One file a pixel, sorted as the contract says."""
    keys = [rows[name].to_numpy() for name in reversed(table.sort)]
    rows = rows.take(np.lexsort(keys))
    npix = rows["_healpix_29"].to_numpy() >> (2 * (HEALPIX_ORDER - order))
    pixels, starts = np.unique(npix, return_index=True)
    ends = [*starts[1:].tolist(), len(npix)]
    return [
        write_table(layout, table, rows.slice(a, b - a), part, HealpixPixel(order, pixel))
        for pixel, a, b in zip(pixels.tolist(), starts.tolist(), ends, strict=True)
    ]


def _margins(layout: Layout, rows: pa.Table, part: str) -> list[FileEntry]:
    snapshot = open_snapshot(layout.root)
    rows = rows.take(np.lexsort([rows[name].to_numpy() for name in reversed(DETECTIONS.sort)]))
    index, ra, dec = (rows[name].to_numpy() for name in ("_healpix_29", "ra", "dec"))
    found = nearby(index, ra, dec, snapshot.partition, ArchiveSettings().margin_arcsec)
    files = []
    for order, npix in sorted(set(zip(found.order.tolist(), found.npix.tolist(), strict=True))):
        of_leaf = found.row[(found.order == order) & (found.npix == npix)]
        some = rows.take(of_leaf).cast(DETECTIONS_MARGIN.schema())
        files.append(write_table(layout, DETECTIONS_MARGIN, some, part, HealpixPixel(order, npix)))
    return files


def _index(ra_deg: Floats, dec_deg: Floats) -> NDArray[np.int64]:
    index: NDArray[np.int64] = hpgeom.angle_to_pixel(2**HEALPIX_ORDER, ra_deg, dec_deg, nest=True)
    return index


def _rows(table: Table, n: int, **given: Any) -> pa.Table:
    """Rows of a table; one value fills its column, what is not given is null, or nothing."""
    nothing = {"string": "", "bool": False, "date32": FIRST_NIGHT}
    columns = []
    for column in table.columns:
        kind = column.field().type
        default = None if column.nullable else nothing.get(column.dtype, 0)
        value = given.get(column.name, default)
        if isinstance(value, np.ndarray):
            columns.append(pa.array(value).cast(kind, safe=False))
        elif isinstance(value, pa.Array):
            columns.append(value.cast(kind, safe=False))
        else:
            columns.append(pa.repeat(pa.scalar(value, kind), n))
    return pa.Table.from_arrays(columns, schema=table.schema())
