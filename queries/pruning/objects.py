"""Where the detections of an object are: at its reference source, night by night.

They lie within the match radius of it, unless the reference catalogue was replaced after their
night was published: those of such nights may lie anywhere in their channel's quadrant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from queries.curves.cache import ByteCache
from queries.curves.channels import QUADRANT_ARCSEC, Channel, References, by_channel, night_channels
from queries.curves.files import resolved
from queries.pruning.files import Piece, nights_of_files
from queries.pruning.ranges import merged
from queries.sky import Cone
from store.settings import read_settings
from store.snapshot import Snapshot

# A reference position is kept to 1e-7 degrees, and so is a detection's.
_ROUNDING_ARCSEC = 0.01


def pieces_of(snapshot: Snapshot, oids: Sequence[int], cache: ByteCache) -> list[Piece]:
    """What of `detections` may carry one of `oids`."""
    references = References(snapshot, cache)
    reach = read_settings(snapshot.layout.root).match_radius_arcsec + _ROUNDING_ARCSEC
    pieces = []
    for channel, some in by_channel(oids).items():
        sources = references.sources(channel)
        if sources is not None:
            places = [at for at in map(sources.at, some) if at is not None]
            cones = [
                Cone(float(sources.ra_deg[at]), float(sources.dec_deg[at]), reach) for at in places
            ]
            if cones:
                pieces.append(Piece(None, _cells(cones)))
        pieces += _former(snapshot, channel, references.checksum(channel), cache)
    return pieces


def _former(
    snapshot: Snapshot, channel: Channel, current: str | None, cache: ByteCache
) -> list[Piece]:
    """What of nights whose images were matched to another reference than the current."""
    pieces = []
    for night, path in nights_of_files(snapshot.files("images")):
        centres = {
            (round(ra_deg, 1), round(dec_deg, 1))
            for ra_deg, dec_deg in night_channels(resolved(path), cache).former(channel, current)
            if math.isfinite(ra_deg) and math.isfinite(dec_deg)
        }
        if centres:
            cones = [Cone(*centre, QUADRANT_ARCSEC) for centre in sorted(centres)]
            pieces.append(Piece(frozenset([night]), _cells(cones)))
    return pieces


def _cells(cones: Iterable[Cone]) -> tuple[tuple[int, int], ...]:
    ranges = ((int(first), int(past) - 1) for cone in cones for first, past in cone.ranges)
    return tuple(merged(ranges))
