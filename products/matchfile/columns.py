"""What a matchfile is made from, as plain columns, and how it is to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.channel import channel_part
from store.matchfile import matchfile_path

Columns = Mapping[str, NDArray[Any]]
Row = NDArray[np.void]

# JD of MJD 0.
MJD_ZERO_JD = 2400000.5
SECONDS_PER_DAY = 86400.0


class Channel(NamedTuple):
    """One field, filter, CCD and quadrant: what one matchfile is of."""

    field: int
    fid: int
    ccdid: int
    qid: int

    @property
    def rcid(self) -> int:
        """The readout channel."""
        return 4 * (self.ccdid - 1) + self.qid - 1

    @property
    def part(self) -> str:
        """Its name: 000633_zr_c07_q4."""
        return channel_part(*self)

    @property
    def path(self) -> str:
        """Where its matchfile lies below a folder of matchfiles."""
        return matchfile_path(*self)


# What a matchfile takes of a detection as it is, by its name in `store.contract`.
MEASURED = (
    "sourceid", "ra", "dec", "xpos", "ypos", "hmjd", "flux", "fluxerr", "mag", "magerr", "chi",
    "sharp", "catflags",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that is known of a channel; see `store.contract` for what the columns mean.

    Floats are NaN and ids −1 where the archive has a null.
    """

    channel: Channel
    detections: Columns
    """Rows in any order: `source` (row of its reference source, −1 without), `is_unmatched` (no
    reference source within the radius), `exposure` (row of its image), and those of `MEASURED`."""
    references: Columns
    """In order of sourceid: sourceid, ra, dec, mag, magerr, flux, fluxerr, chi, sharp."""
    images: Columns
    """In order of time: the images' columns that `exposures` needs."""
    reference_magzp: float
    reference_magzpunc: float
    matched: str
    """When what is exported was published, UTC."""


@dataclass(frozen=True, slots=True)
class Making:
    """How a matchfile is to be made."""

    all_references: bool = False
    """Sources without a detection too."""
    relative: bool = True
    """Refine the zero points of exposures relative to each other."""
    statistics: bool = True
    """Compute the statistics of `sources`; without they are 0."""
    transient_radius_arcsec: float = 1.5
    transient_detections: int = 2
    compress: str | None = None
    """A filter: gzip, which every reader of HDF5 has, or blosc, which is faster."""
