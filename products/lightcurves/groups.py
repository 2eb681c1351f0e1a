"""`group_id` of all objects, pixel by pixel, and kept from one build to the next.

Sources take the places of those that the published `objects` has (`transforms.grouping.inherit`);
what is left is linked to them or to each other, and a new group has the place of its founder for an
id. Pixels come in order, each with a margin of those about it: what is decided of a source in the
margin stands when its own pixel comes. So no answer depends on who works when, and memory holds a
pixel and the borders of some others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import hpgeom
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store import disk
from store.arrow import as_numpy
from store.borders import border_rows, nearby
from store.errors import DamagedArchiveError
from store.files import check_linked
from store.layout import HEALPIX_ORDER, HealpixPixel
from store.partition import Partition
from store.settings import read_settings
from store.snapshot import Snapshot
from transforms.grouping import UNGROUPED, Sources, inherit, link

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# Sources of a chain of friends that is longer than this are decided in the order of pixels.
MARGIN_RADII = 10.0
# `store.borders` looks no farther than 60 arcsec; groups are of stars, whatever is matched to them.
LARGEST_RADIUS_ARCSEC = 6.0
# Pixels whose borders are kept: the eight neighbours of one come soon after each other.
BORDERS = 256
# An oid without its sourceid: field, filter, CCD and quadrant.
SOURCEIDS = 100_000_000


class Rows(NamedTuple):
    """Reference sources, or the `objects` of them: (n,) each. `group_id` is −1 where it is not."""

    cell: Integers
    oid: Integers
    ra: Floats
    dec: Floats
    group_id: Integers

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Some of them."""
        return Rows._make([column[rows] for column in self])


class GroupIds(NamedTuple):
    """Groups of a pixel's sources, by ascending oid."""

    oid: Integers
    group_id: Integers

    def of(self, oid: Integers) -> Integers:
        """The groups of some oids; −1 of what is not there."""
        if not self.oid.size:
            return np.full(oid.size, UNGROUPED)
        at = np.minimum(np.searchsorted(self.oid, oid), self.oid.size - 1)
        return np.where(self.oid[at] == oid, self.group_id[at], UNGROUPED)


Read = Callable[[HealpixPixel], Rows]


@dataclass(frozen=True, slots=True)
class _Border:
    """Rows near other pixels: of each of these, the rows of now and of before."""

    now: dict[HealpixPixel, Rows]
    before: dict[HealpixPixel, Rows]


class Groups:
    """Groups of the pixels of one order, to be asked for in ascending order.

    Parameters
    ----------
    now, before : read the sources of a pixel as they are, and as `objects` has them; of no rows
        where there is no such pixel.
    order : of the pixels.
    radius_arcsec : greatest separation within a group.
    done : what `Groups.done` of an earlier attempt had of pixels that are not asked for again.
    """

    def __init__(
        self,
        now: Read,
        before: Read,
        order: int,
        radius_arcsec: float,
        done: Mapping[HealpixPixel, GroupIds] | None = None,
    ) -> None:
        self._now, self._before, self._order = now, before, order
        self._radius = min(radius_arcsec, LARGEST_RADIUS_ARCSEC)
        self._margin = MARGIN_RADII * self._radius
        self._border = lru_cache(BORDERS)(self._read_border)
        # Of pixels that are done, what stands near others; of others, what is decided already.
        self.done: dict[HealpixPixel, GroupIds] = dict(done or {})
        self._promised: dict[HealpixPixel, dict[int, int]] = {}

    def of(self, pixel: HealpixPixel) -> GroupIds:
        """The group of every source of a pixel."""
        own, former = self._now(pixel), self._before(pixel)
        own = own.take(np.argsort(own.oid, kind="stable"))
        former = former.take(np.argsort(former.oid, kind="stable"))
        unchanged = _same(own, former)
        group_id = former.group_id if unchanged else self._grouped(pixel, own, former)
        border = border_rows(own.cell, self._order, self._margin)
        self.done[pixel] = GroupIds(own.oid[border], group_id[border])
        self._promised.pop(pixel, None)
        return GroupIds(own.oid, group_id)

    def _grouped(self, pixel: HealpixPixel, own: Rows, former: Rows) -> Integers:
        about = [(other, self._border(other)) for other in _neighbouring(pixel)]
        # All there is: the pixel's sources, those near it, and who stood in both.
        beyond = _joined([self._decided(p, b.now[pixel]) for p, b in about if pixel in b.now])
        everything = _joined([self._decided(pixel, own), beyond])
        order = np.argsort(everything.oid, kind="stable")
        everything = everything.take(order)
        before = _joined([former, *(b.before[pixel] for _, b in about if pixel in b.before)])
        before = before.take(np.argsort(before.oid, kind="stable"))

        ids = np.unique(np.concatenate([everything.group_id, before.group_id]))
        ids = ids[ids != UNGROUPED]
        anchors = Sources(*_places(ids), np.zeros(ids.size))
        sources = Sources(everything.ra, everything.dec, everything.oid // SOURCEIDS)
        standing = Sources(before.ra, before.dec, before.oid // SOURCEIDS)
        group = inherit(
            sources, _numbers(everything.group_id, ids), standing, _numbers(before.group_id, ids),
            anchors, self._radius,
        )  # fmt: skip
        group = link(sources, group, anchors, self._radius)
        founders = np.unique(group, return_index=True)[1][np.unique(group) >= ids.size]
        ids = np.concatenate([ids, _founded(everything.cell[founders], ids)])
        group_id = ids[group]

        place = np.argsort(order, kind="stable")
        mine, theirs = place[: own.oid.size], place[own.oid.size :]
        self._promise(everything.take(theirs), group_id[theirs], np.unique(group_id[mine]))
        return group_id[mine]

    def _promise(self, rows: Rows, group_id: Integers, decided: Integers) -> None:
        """Keep what is decided of sources whose pixel comes later: they are of these groups."""
        chosen = np.flatnonzero(np.isin(group_id, decided))
        npix = rows.cell[chosen] >> 2 * (HEALPIX_ORDER - self._order)
        for k, number in zip(chosen.tolist(), npix.tolist(), strict=True):
            pixel = HealpixPixel(self._order, number)
            if pixel not in self.done:
                self._promised.setdefault(pixel, {})[int(rows.oid[k])] = int(group_id[k])

    def _decided(self, pixel: HealpixPixel, rows: Rows) -> Rows:
        """The rows of a pixel with the groups that they have by now, if any."""
        known = self.done.get(pixel)
        if known is None:
            promised = sorted(self._promised.get(pixel, {}).items())
            known = GroupIds(*np.array(promised, dtype=np.int64).reshape(-1, 2).T)
        return rows._replace(group_id=known.of(rows.oid))

    def _read_border(self, pixel: HealpixPixel) -> _Border:
        return _Border(self._near(self._now(pixel)), self._near(self._before(pixel)))

    def _near(self, rows: Rows) -> dict[HealpixPixel, Rows]:
        """Rows near other pixels, by pixel."""
        rows = rows.take(border_rows(rows.cell, self._order, self._margin))
        found = nearby(rows.cell, rows.ra, rows.dec, Partition(self._order), self._margin)
        return {
            HealpixPixel(self._order, npix): rows.take(found.row[found.npix == npix])
            for npix in np.unique(found.npix).tolist()
        }


def groups_of(snapshot: Snapshot, done: Mapping[HealpixPixel, GroupIds] | None = None) -> Groups:
    """The groups of a state's reference sources, those of its `objects` kept; by base pixels."""
    order = snapshot.partition.order
    standing: dict[HealpixPixel, list[HealpixPixel]] = {}
    for pixel in snapshot.pixels("objects"):
        standing.setdefault(base_of(pixel, order), []).append(pixel)

    def now(pixel: HealpixPixel) -> Rows:
        return _read(snapshot, "reference_sources", [pixel])

    def before(pixel: HealpixPixel) -> Rows:
        return _read(snapshot, "objects", standing.get(pixel, []))

    radius_arcsec = read_settings(snapshot.layout.root).match_radius_arcsec
    return Groups(now, before, order, radius_arcsec, done)


def base_of(pixel: HealpixPixel, order: int) -> HealpixPixel:
    """The pixel of the base order that a leaf lies in."""
    return HealpixPixel(order, pixel.npix >> 2 * (pixel.order - order))


def write_groups(groups: Groups, pixels: Iterable[HealpixPixel], folder: Path) -> None:
    """Leave the groups of pixels in a folder, where `read_groups` finds them."""
    for pixel in sorted(pixels):
        ids = groups.of(pixel)
        with disk.File(folder / _name(pixel)) as file:
            file.write(np.stack(ids).tobytes())


def read_groups(pixel: HealpixPixel, folder: Path) -> GroupIds:
    """What `write_groups` left."""
    return GroupIds(*np.fromfile(folder / _name(pixel), np.int64).reshape(2, -1))


def _name(pixel: HealpixPixel) -> str:
    return f"groups-{pixel.order}-{pixel.npix}"


def _read(snapshot: Snapshot, table: str, pixels: list[HealpixPixel]) -> Rows:
    names = ["_healpix_29", "oid", "ra", "dec"] + ["group_id"] * (table == "objects")
    files = []
    for published in snapshot.files(table, pixels):
        try:
            files.append(pq.ParquetFile(check_linked(published)).read(names))
        except DamagedArchiveError:
            # What stood there is built anew, and its groups are founded anew.
            if table != "objects":
                raise
    if not files:
        return _joined([])
    columns = [as_numpy(column) for column in pa.concat_tables(files).select(names).columns]
    if table != "objects":
        columns.append(np.full(columns[0].size, UNGROUPED))
    return Rows(*columns)


def _joined(parts: list[Rows]) -> Rows:
    none = np.empty(0, np.int64)
    parts = [Rows(none, none, np.empty(0), np.empty(0), none), *parts]
    return Rows._make([np.concatenate(columns) for columns in zip(*parts, strict=True)])


def _same(now: Rows, before: Rows) -> bool:
    """Whether nothing has changed; rows of both are by oid."""
    return all(np.array_equal(one, other) for one, other in zip(now[:4], before[:4], strict=True))


def _neighbouring(pixel: HealpixPixel) -> Iterator[HealpixPixel]:
    for npix in np.unique(hpgeom.neighbors(2**pixel.order, [pixel.npix], nest=True)).tolist():
        if npix not in (-1, pixel.npix):
            yield HealpixPixel(pixel.order, npix)


def _places(ids: Integers) -> tuple[Floats, Floats]:
    """Right ascension and declination of the cells that ids name."""
    ra, dec = hpgeom.pixel_to_angle(2**HEALPIX_ORDER, ids, nest=True)
    return ra, dec


def _numbers(group_id: Integers, ids: Integers) -> Integers:
    """Ids as their places among `ids`, which ascend; −1 stays."""
    return np.where(group_id == UNGROUPED, UNGROUPED, np.searchsorted(ids, group_id))


def _founded(cell: Integers, taken: Integers) -> Integers:
    """Ids of new groups: the cell of each founder, or the first other in the same place.

    Its lowest bits are changed: a cell so few bits away is some milliarcseconds away.
    """
    ids = cell.copy()
    clash = np.isin(cell, taken)
    first = np.zeros(cell.size, dtype=bool)
    first[np.unique(cell, return_index=True)[1]] = True
    known = set(taken.tolist()) | set(cell.tolist())
    for k in np.flatnonzero(clash | ~first).tolist():
        bits = 1
        while int(cell[k]) ^ bits in known:
            bits += 1
        ids[k] = int(cell[k]) ^ bits
        known.add(int(ids[k]))
    return ids
