"""Light curves of the reference sources in one pixel, whichever files hold their rows.

The pixel of a curve is that of its reference source. Rows that lie in another pixel are found in
the margin of this one; an archive whose margins are narrower than its match radius has them
gathered beforehand. Of each night the rows come from the light curves that were built, if they are
still right, else from the nightly detections: the curves are those of the publication either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.hats_export.nested import Curves
from store.arrow import as_arrow, as_numpy
from store.borders import border_rows, nearby
from store.errors import DamagedArchiveError
from store.layout import MARGIN, HealpixPixel, Layout
from store.lightcurve_files import LightcurveFiles
from store.partition import parent
from store.snapshot import Snapshot
from transforms.sphere import unit_vectors

Index = NDArray[np.int64]

# A reference position is kept to 1e-7 degrees, and so is a detection's.
ROUNDING_ARCSEC = 0.01
_READ = (
    "_healpix_29", "oid", "night", "expid", "rcid", "sourceid", "hmjd", "mag", "magerr",
    "catflags", "ra", "dec",
)  # fmt: skip
_SOURCE = ("_healpix_29", "oid", "fid", "field", "rcid", "ra", "dec")
# Nights whose images are remembered: 55,000 images of 17 bytes each.
_NIGHTS = 256


@dataclass(frozen=True, slots=True)
class Taken:
    """What is left out of a pixel's curves, counted in rows.

    `bad` are of images judged bad; `unmeasured` have no date, magnitude or uncertainty; `stale`
    carry the id of a reference that was replaced: their images wait for `rematch`.
    """

    bad: int = 0
    unmeasured: int = 0
    stale: int = 0

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.bad + other.bad,
            self.unmeasured + other.unmeasured,
            self.stale + other.stale,
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows belong to a curve: within `radius_arcsec` of its source; bad images or not."""

    radius_arcsec: float
    all_images: bool


def curves_of(
    snapshot: Snapshot, pixel: HealpixPixel, rule: Rule, foreign: pa.Table | None
) -> tuple[Curves | None, Taken]:
    """The curves of the reference sources in a pixel; None if there are none.

    Parameters
    ----------
    foreign : rows of other pixels that may be theirs; None for those of the pixel's margin.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    sources = _sources(snapshot, pixel)
    if not sources.num_rows:
        return None, Taken()
    oid = as_numpy(sources["oid"])
    by_oid = np.argsort(oid)
    parts, number = [], []
    others = _margin(snapshot, pixel) if foreign is None else iter([foreign])
    for rows in (*_own(snapshot, pixel), *others):
        found = np.minimum(np.searchsorted(oid, as_numpy(rows["oid"]), sorter=by_oid), len(oid) - 1)
        source = by_oid[found]
        known = oid[source] == as_numpy(rows["oid"])
        if known.any():
            parts.append(rows.filter(as_arrow(known)))
            number.append(source[known])
    if not parts:
        return None, Taken()
    return _curves(snapshot, sources, pa.concat_tables(parts), np.concatenate(number), rule)


def _curves(
    snapshot: Snapshot, sources: pa.Table, rows: pa.Table, number: Index, rule: Rule
) -> tuple[Curves | None, Taken]:
    """Curves of rows, of which each is of the source of that number."""
    there = unit_vectors(*(as_numpy(sources[name]) for name in ("ra", "dec")))[:, number]
    here = unit_vectors(*(as_numpy(rows[name]) for name in ("ra", "dec")))
    chord = 2.0 * np.sin(np.radians((rule.radius_arcsec + ROUNDING_ARCSEC) / 3600.0) / 2.0)
    near = ((here - there) ** 2).sum(axis=0) <= chord**2
    measured = np.ones(rows.num_rows, dtype=bool)
    for name in ("hmjd", "mag", "magerr"):
        measured &= as_numpy(rows[name].is_valid())
    is_bad, clrcoeff = _of_images(snapshot, rows)
    kept = near & measured & (rule.all_images | ~is_bad)
    taken = Taken(
        bad=int((near & measured & ~kept).sum()),
        unmeasured=int((near & ~measured).sum()),
        stale=int((~near).sum()),
    )
    if not kept.any():
        return None, taken
    rows, number, clrcoeff = rows.filter(as_arrow(kept)), number[kept], clrcoeff[kept]
    keys = [as_numpy(rows[name]) for name in ("sourceid", "rcid", "expid", "hmjd")]
    order = np.lexsort((*keys, number))
    number = number[order]
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    chosen = sources.take(as_arrow(number[starts]))
    flags = rows["catflags"].combine_chunks()
    epochs = {name: as_numpy(rows[name])[order] for name in ("hmjd", "mag", "magerr")}
    epochs["clrcoeff"] = np.ma.masked_invalid(clrcoeff[order])
    epochs["catflags"] = np.ma.array(as_numpy(flags, 0), mask=as_numpy(flags.is_null()))[order]
    names = {
        "_healpix_29": "_healpix_29", "objectid": "oid", "objra": "ra", "objdec": "dec",
        "filterid": "fid", "fieldid": "field", "rcid": "rcid",
    }  # fmt: skip
    columns = {ours: as_numpy(chosen[name]) for ours, name in names.items()}
    return Curves(columns, np.diff(starts, append=len(number)), epochs), taken


def _sources(snapshot: Snapshot, pixel: HealpixPixel) -> pa.Table:
    """The reference sources in a pixel, in the order of the sky."""
    base = pixel
    while base.order > snapshot.partition_order:
        base = parent(base)
    low, past = pixel.index_range
    files = snapshot.files("reference_sources", [base])
    parts = [_read(path, _SOURCE) for path in files]
    if not parts:
        return pa.table({name: as_arrow(np.empty(0, dtype=np.int64)) for name in _SOURCE})
    sources = pa.concat_tables(parts)
    index = as_numpy(sources["_healpix_29"])
    inside = np.flatnonzero((index >= low) & (index < past))
    order = np.lexsort((as_numpy(sources["oid"])[inside], index[inside]))
    return sources.take(as_arrow(inside[order]))


def _own(snapshot: Snapshot, pixel: HealpixPixel) -> Iterator[pa.Table]:
    """The rows of a pixel that have an id."""
    files = _lightcurve_files(snapshot.layout.root, snapshot.number).of(pixel)
    if files.lightcurves is not None:
        yield _without(_read(files.lightcurves, _READ), files.stale)
    for path in files.others:
        yield _without(_read(path, _READ), files.fresh if "-" in path.stem else ())


def _margin(snapshot: Snapshot, pixel: HealpixPixel) -> Iterator[pa.Table]:
    """The rows near a pixel that have an id."""
    for path in snapshot.files(MARGIN, [pixel]):
        yield _without(_read(path, _READ), ())


def _without(rows: pa.Table, nights: frozenset[date] | tuple[()]) -> pa.Table:
    """Rows that have an id and are of none of some nights."""
    kept = rows["oid"].is_valid()
    if nights:
        days = as_arrow(np.array(sorted(nights), "datetime64[D]"))
        gone = pc.is_in(rows["night"], value_set=days)
        kept = pc.and_(kept, pc.invert(gone))
    return rows.filter(kept)


@lru_cache(maxsize=2)
def _lightcurve_files(root: Path, number: int) -> LightcurveFiles:
    return LightcurveFiles(Snapshot(Layout(root), number))


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(list(columns))
    except (OSError, pa.ArrowException) as error:
        what = f"cannot be read ({' '.join(str(error).split())})"
        hint = "See what is damaged: nightlake verify ARCHIVE."
        raise DamagedArchiveError(what, where=path, hint=hint) from error


def _of_images(snapshot: Snapshot, rows: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Whether the image of each row is bad, and its colour coefficient (NaN: none is known)."""
    night = as_numpy(rows["night"].cast(pa.int32()))
    key = _key(rows)
    is_bad = np.zeros(rows.num_rows, dtype=bool)
    clrcoeff = np.full(rows.num_rows, np.nan, np.float32)
    for day in np.unique(night).tolist():
        here = np.flatnonzero(night == day)
        name = f"{np.datetime64(day, 'D').astype(object):%Y%m%d}"
        keys, bad, coefficient = _images(snapshot.layout.root, snapshot.number, name)
        at = np.minimum(np.searchsorted(keys, key[here]), len(keys) - 1)
        known = keys[at] == key[here]
        is_bad[here] = bad[at] & known
        clrcoeff[here] = np.where(known, coefficient[at], np.nan)
    return is_bad, clrcoeff


def _key(rows: pa.Table) -> Index:
    key: Index = as_numpy(rows["expid"]) * 64 + as_numpy(rows["rcid"])
    return key


@lru_cache(maxsize=_NIGHTS)
def _images(
    root: Path, number: int, night: str
) -> tuple[Index, NDArray[np.bool_], NDArray[np.float32]]:
    """The images of a night by key: whether they are bad, and their colour coefficients."""
    folder = Snapshot(Layout(root), number).folder / "images"
    images = _read(folder / f"{night}.parquet", ("expid", "rcid", "is_bad", "clrcoeff"))
    key = _key(images)
    order = np.argsort(key)
    bad = as_numpy(images["is_bad"])[order]
    return key[order], bad, as_numpy(images["clrcoeff"])[order].astype(np.float32)


def gather_foreign(snapshot: Snapshot, radius_arcsec: float) -> Mapping[HealpixPixel, pa.Table]:
    """Rows within a radius of other pixels than their own, by these: what a margin would hold."""
    found: dict[HealpixPixel, list[pa.Table]] = {}
    for pixel in snapshot.pixels("detections"):
        for path in snapshot.files("detections", [pixel]):
            rows = _without(_read(path, _READ), ())
            index = as_numpy(rows["_healpix_29"])
            near = rows.take(as_arrow(border_rows(index, pixel.order, radius_arcsec)))
            index, ra, dec = (as_numpy(near[name]) for name in ("_healpix_29", "ra", "dec"))
            pairs = nearby(index, ra, dec, snapshot.partition, radius_arcsec)
            leaves = np.stack([pairs.order, pairs.npix], axis=1)
            for leaf in np.unique(leaves, axis=0):
                here = pairs.row[(leaves == leaf).all(axis=1)]
                key = HealpixPixel(*leaf.tolist())
                found.setdefault(key, []).append(near.take(as_arrow(here)))
    return {pixel: pa.concat_tables(tables) for pixel, tables in found.items()}
