"""Images that covered an object and did not measure it: how faint it must have been.

An image covers an object if it is of the object's field, filter, CCD and quadrant, and its own WCS
puts the reference position on the chip. An image without a WCS covers nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from queries.curves.arrays import arrow, truths, values
from queries.curves.channels import References
from queries.curves.files import guarded, one_batch, read_columns
from queries.curves.pieces import Found
from queries.curves.places import Objects
from store.channel import channel_of_oid
from store.contract import DETECTIONS, IMAGES, LIGHTCURVE_IMAGES
from store.periods import parse_night
from store.snapshot import Snapshot
from transforms.coverage import Footprints
from transforms.wcs_cards import read_cards

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CHANNEL = ("field", "fid", "ccdid", "qid")
OF_OBJECT = ("oid", "ra", "dec", "hmjd")
# What is said of the image, beside the object's oid, ra and dec, and hmjd.
OF_IMAGE = (*CHANNEL, *(name for name in LIGHTCURVE_IMAGES.names if name not in CHANNEL))
EARTH = ("earth_x_s", "earth_y_s", "earth_z_s")
SCHEMA = pa.schema(
    [*((name, DETECTIONS[name].field().type) for name in OF_OBJECT),
     *((name, IMAGES[name].field().type) for name in OF_IMAGE)]
)  # fmt: skip
_READ = (*OF_IMAGE, "reference_checksum", "wcs_cards")

# An oid without its sourceid: field·1e4 + fid·1e3 + ccdid·10 + qid.
_SOURCEIDS = 100_000_000
# Images that are looked at together.
_AT_ONCE = 4096
# Exposure ids of 30,000 years.
_EXPIDS = 1 << 40
_DAY_S = 86_400.0
NO_ID = -1
_MJD_EPOCH = date(1858, 11, 17)
# A night's date is that of obsmjd within half a day, and hmjd is within minutes of it.
_MARGIN_DAYS = 2


class Near(NamedTuple):
    """All detections within the match radius of objects, (m,) each: flagged, of bad images, any.

    `target` says of which object, by its number; `oid` is −1 where there is none.
    """

    target: Index
    oid: Index
    field: Index
    fid: Index
    rcid: Index
    expid: Index


def near_of(found: Iterable[Found]) -> Near:
    """Rows that a reader found about objects, whose numbers are the targets."""
    parts = [Near(*np.empty((6, 0), np.int64))]
    for rows, target, _ in found:
        columns = [_numbers(rows, name) for name in Near._fields[1:]]
        parts.append(
            Near(np.zeros(rows.num_rows, np.int64) if target is None else target, *columns)
        )
    return Near(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def as_rows(limits: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Upper limits as rows of light curves: null in what is of a detection alone."""
    n = limits.num_rows
    there = set(limits.schema.names)
    columns = [
        limits.column(field.name) if field.name in there else pa.nulls(n, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _numbers(rows: pa.RecordBatch, name: str) -> Index:
    numbers: Index = values(rows.column(name), NO_ID).astype(np.int64)
    return numbers


def upper_limits(
    snapshot: Snapshot,
    objects: Objects,
    near: Near,
    references: References,
    *,
    hmjd: tuple[float, float] = (-math.inf, math.inf),
    all_images: bool = False,
) -> pa.RecordBatch:
    """One row for each object and each image that covered it and did not measure it.

    An image measured an object if a detection of it carries the object's id; or, if the image was
    not matched to the reference that stands now, if one lies within the match radius.

    Parameters
    ----------
    hmjd : earliest and latest time, both included.
    all_images : whether images that were judged bad count too.

    Returns
    -------
    Rows of `SCHEMA`, by object and time: ra and dec are the reference source's, hmjd that
    of mid-exposure there, null where the exposure time is.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    channel = objects.oid // _SOURCEIDS
    first_of = dict(zip(channel.tolist(), objects.oid.tolist(), strict=True))
    current = {c: references.checksum(channel_of_oid(oid)) for c, oid in first_of.items()}
    measured = _Measured(objects, near)
    found = [SCHEMA.empty_table()]
    for images in _some_at_once(_images(snapshot, sorted(current), hmjd, all_images)):
        image, target = _covered(images, objects, channel)
        stands = _stands(images, current)[image]
        expid = values(images.column("expid"))[image]
        missed = ~measured.by(target, expid, stands)
        if missed.any():
            found.append(_rows(images, image[missed], objects, target[missed]))
    return _within(pa.concat_tables(found), hmjd)


class _Measured:
    """Which images measured which objects."""

    def __init__(self, objects: Objects, near: Near) -> None:
        rcid_of_oid = objects.oid // 1_000_000_000 % 100 * 4 + objects.oid // _SOURCEIDS % 10 - 5
        mine = (
            (near.field == (objects.oid // 10**12)[near.target])
            & (near.fid == (objects.oid // 10**11 % 10)[near.target])
            & (near.rcid == rcid_of_oid[near.target])
        )
        self._here = _pairs(near.target[mine], near.expid[mine])
        own = mine & (near.oid == objects.oid[near.target])
        self._own = _pairs(near.target[own], near.expid[own])

    def by(self, target: Index, expid: Index, stands: Mask) -> Mask:
        """Of pairs of an object and an image of its channel; `stands` if by today's reference."""
        wanted = _pairs(target, expid)
        return np.isin(wanted, self._own) | (~stands & np.isin(wanted, self._here))


def _pairs(target: Index, expid: Index) -> Index:
    """Pairs of an object and an exposure as one number each."""
    return target * _EXPIDS + expid


def _nights(snapshot: Snapshot, hmjd: tuple[float, float]) -> Iterator[tuple[str, Path]]:
    """The nights that may have images within a time, and their files."""
    for path in snapshot.files("images"):
        mjd = (parse_night(path.stem) - _MJD_EPOCH) / timedelta(days=1)
        if hmjd[0] - _MARGIN_DAYS <= mjd <= hmjd[1] + _MARGIN_DAYS:
            yield path.stem, path


def _images(
    snapshot: Snapshot, channels: Sequence[int], hmjd: tuple[float, float], all_images: bool
) -> Iterator[pa.Table]:
    """The images of some channels, night by night, with where the observatory was."""
    for night, path in _nights(snapshot, hmjd):
        rows = guarded(path, partial(_read_images, path, channels, all_images))
        if rows.num_rows:
            earth = _earth(snapshot, night, rows["expid"].to_numpy())
            for name, column in zip(EARTH, earth.T, strict=True):
                rows = rows.append_column(name, [arrow(np.ascontiguousarray(column))])
            yield rows


def _some_at_once(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Tables joined to batches of some thousand rows: each costs as much as a thousand."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= _AT_ONCE:
            yield one_batch(pa.concat_tables(waiting))
            waiting = []
    if waiting:
        yield one_batch(pa.concat_tables(waiting))


def _read_images(path: Path, channels: Sequence[int], all_images: bool) -> pa.Table:
    """WCS cards are long: no more of them is read than need be."""
    schema = pa.schema([(name, IMAGES[name].field().type) for name in _READ])
    with pq.ParquetFile(path, memory_map=True) as file:
        parts = [schema.empty_table()]
        for group in range(file.num_row_groups):
            if _may_have(file, group, channels):
                rows = one_batch(file.read_row_group(group, [*CHANNEL, "is_bad"]))
                wanted = np.isin(_channels(rows), channels)
                if not all_images:
                    wanted &= ~truths(rows.column("is_bad"))
                if wanted.any():
                    whole = file.read_row_group(group, list(_READ)).select(_READ)
                    parts.append(whole.filter(arrow(wanted)).cast(schema))
        return pa.concat_tables(parts)


def _may_have(file: pq.ParquetFile, group: int, channels: Sequence[int]) -> bool:
    """Whether a row group may have images of the fields of some channels."""
    number = file.schema_arrow.get_field_index("field")
    said = file.metadata.row_group(group).column(number).statistics
    if said is None or not said.has_min_max:
        return True
    return any(said.min <= channel // 10_000 <= said.max for channel in channels)


def _channels(rows: pa.RecordBatch) -> Index:
    """The channel of each image, as an oid begins."""
    field, fid, ccdid, qid = (values(rows.column(name)).astype(np.int64) for name in CHANNEL)
    channels: Index = field * 10_000 + fid * 1_000 + ccdid * 10 + qid
    return channels


def _covered(images: pa.RecordBatch, objects: Objects, channel: Index) -> tuple[Index, Index]:
    """Pairs of an image and an object of its channel that it covers, by their numbers."""
    of_image = _channels(images)
    found = []
    for one in np.unique(of_image).tolist():
        rows, targets = np.flatnonzero(of_image == one), np.flatnonzero(channel == one)
        footprints = Footprints(
            read_cards(images.column("wcs_cards").take(arrow(rows)).to_pylist())
        )
        row, target = footprints.cover(objects.ra_deg[targets], objects.dec_deg[targets]).nonzero()
        found.append((rows[row], targets[target]))
    image, target = (np.concatenate(one) for one in zip(*found, strict=True))
    return image, target


def _stands(images: pa.RecordBatch, current: dict[int, str | None]) -> Mask:
    """Whether each image was matched to the reference of its channel that stands now."""
    said = images.column("reference_checksum").to_pylist()
    of_image = _channels(images).tolist()
    return np.array(
        [c is not None and c == current[one] for c, one in zip(said, of_image, strict=True)], bool
    )


def _earth(snapshot: Snapshot, night: str, expid: Index) -> Floats:
    """Heliocentric position of the observatory at the start of exposures: (n, 3) light-seconds."""
    rows = read_columns(snapshot.folder / "exposures" / f"{night}.parquet", ("expid", *EARTH))
    known = values(rows.column("expid"))
    order = np.argsort(known, kind="stable")
    at = order[np.minimum(np.searchsorted(known[order], expid), known.size - 1)]
    earth = np.stack([values(rows.column(name)) for name in EARTH], axis=1)[at]
    earth[known[at] != expid] = np.nan
    return earth


def _rows(images: pa.RecordBatch, image: Index, objects: Objects, target: Index) -> pa.Table:
    rows = images.take(arrow(image))
    ra, dec = objects.ra_deg[target], objects.dec_deg[target]
    a, d = np.radians(ra), np.radians(dec)
    toward = (np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d))
    # As `hmjd` of detections: light-travel time at the start, and half of the exposure.
    delay_s = sum(values(rows.column(name)) * n for name, n in zip(EARTH, toward, strict=True))
    obsmjd, exptime = (values(rows.column(name), np.nan) for name in ("obsmjd", "exptime"))
    hmjd = obsmjd + (delay_s + exptime / 2) / _DAY_S
    columns = [arrow(objects.oid[target]), arrow(ra), arrow(dec), arrow(hmjd, np.isnan(hmjd))]
    columns += [rows.column(name) for name in OF_IMAGE]
    return pa.table(columns, schema=SCHEMA)


def _within(rows: pa.Table, hmjd: tuple[float, float]) -> pa.RecordBatch:
    if hmjd != (-math.inf, math.inf):
        # A time that nobody knows is NaN here, and in no range.
        time = rows["hmjd"].to_numpy()
        rows = rows.filter(arrow((time >= hmjd[0]) & (time <= hmjd[1])))
    return one_batch(rows.sort_by([(name, "ascending") for name in ("oid", "hmjd", "expid")]))
