"""Where the objects of a channel lie: its reference sources, and what of others stands yet.

An id names its channel. Its detections lie at its reference source, unless the reference catalogue
was replaced since: those of before lie at other places of the same quadrant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from queries.curves.arrays import values
from queries.curves.cache import ByteCache
from queries.curves.files import read_columns, resolved
from queries.sky import Cone
from store.channel import channel_of_oid, channel_part
from store.contract import REFERENCE_IMAGES, REFERENCE_SOURCES
from store.manifest import references_group
from store.snapshot import Snapshot

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Channel = tuple[int, int, int, int]

# A quadrant's corners are 0.62 degrees from its centre (3072 × 3080 pixels of 1.01 arcsec), which
# is taken to 0.1 degrees here.
QUADRANT_ARCSEC = 3600.0
# Ids of a channel: its own beginning, and a source's number below this.
_SOURCES = 10**8


@dataclass(frozen=True)
class Sources:
    """The reference sources of a channel, in the order of their ids: (n,) each."""

    oid: Index
    healpix: Index
    ra_deg: Floats
    dec_deg: Floats

    def at(self, oid: int) -> int | None:
        """The place of an id among them, or None."""
        at = int(np.searchsorted(self.oid, oid))
        return at if at < self.oid.size and int(self.oid[at]) == oid else None

    @cached_property
    def cone(self) -> Cone | None:
        """A circle that holds them, and all that a former reference of the channel may have had."""
        if not self.oid.size:
            return None
        ra, dec = np.radians(self.ra_deg), np.radians(self.dec_deg)
        x, y, z = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)
        centre = np.array([x.mean(), y.mean(), z.mean()])
        centre /= np.linalg.norm(centre)
        away = np.degrees(np.arccos(np.clip(x * centre[0] + y * centre[1] + z * centre[2], -1, 1)))
        radius = max(float(away.max()) * 3600 + QUADRANT_ARCSEC / 5, QUADRANT_ARCSEC)
        ra_deg = float(np.degrees(np.arctan2(centre[1], centre[0])))
        return Cone(ra_deg, float(np.degrees(np.arcsin(np.clip(centre[2], -1, 1)))), radius)


def oids_of(channel: Channel) -> tuple[int, int]:
    """The first id that a channel may have, and the first that it may not."""
    field, fid, ccdid, qid = channel
    first = field * 10**12 + fid * 10**11 + ccdid * 10**9 + qid * _SOURCES
    return first, first + _SOURCES


class References:
    """The reference catalogues of a snapshot, channel by channel."""

    def __init__(self, snapshot: Snapshot, cache: ByteCache) -> None:
        self._snapshot, self._cache = snapshot, cache
        self._files: dict[int, dict[str, list[Path]]] = {}
        self._checksums: dict[int, dict[Channel, str]] = {}

    def sources(self, channel: Channel) -> Sources | None:
        """The sources of a channel; None if it has no reference catalogue.

        Raises
        ------
        DamagedArchiveError : a file of theirs cannot be read.
        """
        files = self._of_field(channel[0]).get(channel_part(*channel))
        return None if files is None else self._read(tuple(files))

    def checksum(self, channel: Channel) -> str | None:
        """What a channel's reference catalogue was made from; None if it has none."""
        self._of_field(channel[0])
        return self._checksums[channel[0]].get(channel)

    def _of_field(self, field: int) -> dict[str, list[Path]]:
        """The files of each channel of a field, by the channel's name."""
        if field not in self._files:
            files: dict[str, list[Path]] = {}
            checksums: dict[Channel, str] = {}
            root = self._snapshot.layout.root
            for entry in self._snapshot.manifest(references_group(field)).files:
                path = resolved(root / entry.path)
                if entry.table == REFERENCE_SOURCES.name:
                    files.setdefault(entry.part, []).append(path)
                elif entry.table == REFERENCE_IMAGES.name:
                    checksums |= _checksums(path)
            self._checksums[field] = checksums
            self._files[field] = files
        return self._files[field]

    def _read(self, files: tuple[Path, ...]) -> Sources:
        def make() -> tuple[Sources, int]:
            names = ("oid", "_healpix_29", "ra", "dec")
            batches = [read_columns(path, names) for path in files]
            columns = [
                np.concatenate([values(batch.column(i)) for batch in batches]) for i in range(4)
            ]
            order = np.argsort(columns[0], kind="stable")
            return Sources(*(column[order] for column in columns)), 32 * len(order)

        return self._cache.get(("sources", files), make)


def _checksums(path: Path) -> dict[Channel, str]:
    """What the reference catalogues of a file were made from, by channel."""
    rows = read_columns(path, ("field", "fid", "ccdid", "qid", "input_checksum"))
    *channel, checksum = (column.to_pylist() for column in rows.columns)
    return dict(zip(zip(*channel, strict=True), checksum, strict=True))


def by_channel(oids: Iterable[int]) -> dict[Channel, list[int]]:
    """Some ids, by the channel that each names."""
    channels: dict[Channel, list[int]] = {}
    for oid in oids:
        channels.setdefault(channel_of_oid(oid), []).append(oid)
    return channels


@dataclass(frozen=True)
class NightChannels:
    """The images of a night that have ids: their channels, references and places.

    Attributes
    ----------
    code : int64 (n,), the channel, `code_of`.
    reference : of each, the number of a checksum in `checksums`.
    ra_deg, dec_deg : centres; NaN where nobody knows.
    """

    code: Index
    reference: NDArray[np.int32]
    checksums: tuple[str, ...]
    ra_deg: Floats
    dec_deg: Floats

    def former(self, channel: Channel, current: str | None) -> list[tuple[float, float]]:
        """Centres of the images of a channel that were matched to another reference."""
        of_channel = np.flatnonzero(self.code == code_of(channel))
        return [
            (float(self.ra_deg[i]), float(self.dec_deg[i]))
            for i in of_channel.tolist()
            if self.checksums[self.reference[i]] != current
        ]


def code_of(channel: Channel) -> int:
    """A channel as one number."""
    field, fid, ccdid, qid = channel
    return ((field * 256 + fid) * 256 + ccdid) * 256 + qid


def night_channels(path: Path, cache: ByteCache) -> NightChannels:
    """What a night's file of images tells of references.

    Raises
    ------
    DamagedArchiveError : it cannot be read.
    """

    def make() -> tuple[NightChannels, int]:
        names = ("field", "fid", "ccdid", "qid", "reference_checksum", "ra", "dec")
        rows = read_columns(path, names)
        rows = rows.filter(rows.column("reference_checksum").is_valid())
        parts = [values(rows.column(name)).astype(np.int64) for name in names[:4]]
        code = ((parts[0] * 256 + parts[1]) * 256 + parts[2]) * 256 + parts[3]
        said = rows.column("reference_checksum").dictionary_encode()
        found = NightChannels(
            code,
            values(said.indices),
            tuple(said.dictionary.to_pylist()),
            values(rows.column("ra"), np.nan),
            values(rows.column("dec"), np.nan),
        )
        return found, 28 * len(code) + 100 * len(found.checksums)

    return cache.get(("channels", path), make)
