"""Objects of several fields and filters at one place, grouped: complete linkage about anchors.

A group is of reference sources of different channels (field, filter, CCD, quadrant), all of them
within a radius of each other and of the place where the group was founded, its anchor. So a group
does not wander however often its sources are replaced, and its id can be told by its place.

What is decided follows from the sources within reach of each other (friends of friends) alone: a
sky that is cut with a margin gives what the whole sky does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.match import SkyGrid, chord_of
from transforms.sphere import Floats, columns, unit_vectors

Integers = NDArray[np.int64]

UNGROUPED = -1
# Anchors are kept as a cell of 0.4 mas, some cells off where an id was taken already.
ANCHOR_SLACK_ARCSEC = 0.01


class Sources:
    """Reference sources, in the order by which ties are broken: the first comes first.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees; a source with NaN is of no group but its own.
    channel : int (n,), a number for each field, filter, CCD and quadrant.

    Raises
    ------
    TransformError : the lengths differ.
    """

    __slots__ = ("channel", "dec", "ra", "xyz")

    def __init__(self, ra_deg: ArrayLike, dec_deg: ArrayLike, channel: ArrayLike) -> None:
        self.ra, self.dec = columns(ra_deg, dec_deg)
        self.channel = np.array(channel, dtype=np.int64)
        if self.channel.shape != self.ra.shape:
            raise TransformError(f"{self.ra.size} places, but {self.channel.size} channels")
        self.xyz = np.ascontiguousarray(unit_vectors(self.ra, self.dec).T)

    def __len__(self) -> int:
        return self.ra.size


def inherit(
    sources: Sources,
    group: ArrayLike,
    former: Sources,
    former_group: ArrayLike,
    anchors: Sources,
    radius_arcsec: float,
) -> Integers:
    """Put sources in the places of former members of their channel, whatever their ids are now.

    Of all pairs of a source and a former member of its channel within the radius, the nearest come
    first: the source gets the member's group, unless that has one of its channel by now, or one
    that the source is too far from.

    Parameters
    ----------
    group : int (n,), the groups of sources that have one already; UNGROUPED for the others.
    former_group : int (f,), of each former member; groups are 0 to g − 1.
    anchors : g places where the groups were founded; their channels say nothing.

    Returns
    -------
    int64 (n,): `group`, and of those that have found a place that one's.
    """
    of_row, of_former = _groups(group, sources, anchors), _groups(former_group, former, anchors)
    row, member, separation = SkyGrid(former.ra, former.dec, radius_arcsec).within(
        sources.ra, sources.dec, radius_arcsec
    )
    same = sources.channel[row] == former.channel[member]
    useful = np.flatnonzero(same & (of_row[row] == UNGROUPED))
    row, member = row[useful], member[useful].astype(np.int64)
    order = np.lexsort((row, member, separation[useful]))
    _inherit(
        row[order], of_former[member[order]], sources.xyz, sources.channel, of_row, anchors.xyz,
        *_limits(radius_arcsec),
    )  # fmt: skip
    return of_row


def link(sources: Sources, group: ArrayLike, anchors: Sources, radius_arcsec: float) -> Integers:
    """Group sources that have no group: with each other, or with those that have.

    Pairs are taken from the nearest to the farthest, and two groups become one where that is
    allowed (Kruskal's way to complete linkage); two groups of before never do.

    Parameters
    ----------
    group : int (n,), 0 to g − 1 for a source that has a group; UNGROUPED for the others.
    anchors : g places where the groups were founded; their channels say nothing.
    radius_arcsec : the greatest separation, included.

    Returns
    -------
    int64 (n,): every source's group, from g on for new ones, in the order of their first sources:
    a new group's first source has founded it. Of equal separations the pair of the first sources
    comes first.
    """
    of_row = _groups(group, sources, anchors)
    row, other, separation = SkyGrid(sources.ra, sources.dec, radius_arcsec).within(
        sources.ra, sources.dec, radius_arcsec
    )
    grouped = of_row != UNGROUPED
    useful = np.flatnonzero((other > row) & ~(grouped[row] & grouped[other]))
    row, other = row[useful], other[useful].astype(np.int64)
    order = np.lexsort((other, row, separation[useful]))
    _link(
        row[order], other[order], sources.xyz, sources.channel, of_row, anchors.xyz,
        *_limits(radius_arcsec),
    )  # fmt: skip
    return of_row


def _groups(group: ArrayLike, sources: Sources, anchors: Sources) -> Integers:
    of_row = np.array(group, dtype=np.int64)
    if of_row.shape != (len(sources),):
        raise TransformError(f"{len(sources)} sources, but {of_row.size} groups")
    if of_row.size and not UNGROUPED <= of_row.min() <= of_row.max() < len(anchors):
        raise TransformError(f"groups are 0 to {len(anchors) - 1}, as many as there are anchors")
    return of_row


def _limits(radius_arcsec: float) -> tuple[float, float]:
    """Greatest squared chords between members, and from an anchor to a member."""
    return chord_of(radius_arcsec) ** 2, chord_of(radius_arcsec + ANCHOR_SLACK_ARCSEC) ** 2


@kernel
def _chains(group: Integers, n_groups: int) -> tuple[Integers, Integers]:
    """The rows of each group as a chain: its head, and the row after each; −1 ends it."""
    head, after = np.full(n_groups, -1), np.full(group.size, -1)
    for i in range(group.size - 1, -1, -1):
        if group[i] >= 0:
            after[i], head[group[i]] = head[group[i]], i
    return head, after


@kernel
def _inherit(
    row: Integers, wanted: Integers, xyz: Floats, channel: Integers, group: Integers,
    anchors: Floats, limit: float, anchor_limit: float,
) -> None:  # fmt: skip
    head, after = _chains(group, anchors.shape[0])
    for p in range(row.size):
        i, g = row[p], wanted[p]
        if (
            group[i] == UNGROUPED
            and _fit(i, head[g], after, xyz, channel, limit)
            and _reached(anchors, g, i, after, xyz, anchor_limit)
        ):
            group[i] = g
            after[i], head[g] = head[g], i


@kernel
def _link(
    low: Integers, high: Integers, xyz: Floats, channel: Integers, group: Integers,
    anchors: Floats, limit: float, anchor_limit: float,
) -> None:  # fmt: skip
    n, known = group.size, anchors.shape[0]
    # A new group has the number of its first row, after those of before.
    for i in range(n):
        if group[i] == UNGROUPED:
            group[i] = known + i
    head, after = _chains(group, known + n)
    for p in range(low.size):
        a, b = group[low[p]], group[high[p]]
        into, gone = min(a, b), max(a, b)
        if (
            into == gone
            or gone < known
            or not _fit(head[gone], head[into], after, xyz, channel, limit)
            or (into < known and not _reached(anchors, into, head[gone], after, xyz, anchor_limit))
        ):
            continue
        i = head[gone]
        last = i
        while i >= 0:
            group[i], last = into, i
            i = after[i]
        after[last], head[into] = head[into], head[gone]
    found = known
    numbers = np.full(n, -1)
    for i in range(n):
        if group[i] >= known:
            first = group[i] - known
            if numbers[first] < 0:
                numbers[first] = found
                found += 1
            group[i] = numbers[first]


@kernel
def _fit(
    one: int, other: int, after: Integers, xyz: Floats, channel: Integers, limit: float
) -> bool:
    """Whether the rows of two chains are near each other, and of different channels."""
    i = one
    while i >= 0:
        j = other
        while j >= 0:
            if channel[i] == channel[j] or not _square(xyz, i, xyz, j) <= limit:
                return False
            j = after[j]
        i = after[i]
    return True


@kernel
def _reached(
    anchors: Floats, anchor: int, i: int, after: Integers, xyz: Floats, limit: float
) -> bool:
    """Whether all rows of a chain are near an anchor."""
    while i >= 0:
        if not _square(anchors, anchor, xyz, i) <= limit:
            return False
        i = after[i]
    return True


@kernel
def _square(one: Floats, i: int, other: Floats, j: int) -> float:
    """Squared chord; without views of rows, whose making would cost more than it."""
    x, y, z = one[i, 0] - other[j, 0], one[i, 1] - other[j, 1], one[i, 2] - other[j, 2]
    square: float = x * x + y * y + z * z
    return square
