"""Sets of whole numbers as ascending ranges, ends included, none of which touch."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

Ranges = list[tuple[int, int]]


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The numbers in any of `ranges`, which may overlap, be empty and come in any order."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if first > last:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def common(one: Ranges, other: Ranges) -> Ranges:
    """The numbers in both."""
    found = []
    i = j = 0
    while i < len(one) and j < len(other):
        first = max(one[i][0], other[j][0])
        last = min(one[i][1], other[j][1])
        if first <= last:
            found.append((first, last))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


def coarse(ranges: Ranges, most: int) -> Ranges:
    """At most `most` ranges that hold these: the smallest gaps are closed."""
    if len(ranges) <= most:
        return ranges
    gaps = sorted(range(1, len(ranges)), key=lambda i: ranges[i - 1][1] - ranges[i][0])
    starts = [0, *sorted(gaps[: most - 1]), len(ranges)]
    return [(ranges[a][0], ranges[b - 1][1]) for a, b in pairwise(starts)]
