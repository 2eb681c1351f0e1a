"""What the input knows of an image or a reference image, once it is gathered."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.identifiers import FILTERCODES
from transforms.identifiers import pid as pid_of


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What an image of the sky and a reference image have in common."""

    field: int
    fid: int
    ccdid: int
    qid: int
    rcid: int
    magzp: float | None
    magzpunc: float | None
    magzprms: float | None
    clrcoeff: float | None
    clrcounc: float | None
    pcolor: str | None
    infobits: int | None
    metadata_from: str

    @property
    def filtercode(self) -> str:
        """Filter code: zg, zr, zi."""
        return FILTERCODES[self.fid]


@dataclass(frozen=True, slots=True)
class ImageFacts(ChannelFacts):
    """What the input knows of one quadrant image; units as in the contract's table `images`."""

    expid: int
    obsmjd: float
    exptime: float | None
    programid: int | None
    filefracday: int | None
    airmass: float | None
    seeing: float | None
    limitmag: float | None
    saturate: float | None
    crval1: float | None
    crval2: float | None
    crpix1: float | None
    crpix2: float | None
    cd1_1: float | None
    cd1_2: float | None
    cd2_1: float | None
    cd2_2: float | None
    wcs_cards: str | None

    @property
    def pid(self) -> int:
        """Image id, expid·1e4 + rcid·100 + 15."""
        return pid_of(self.expid, self.rcid)


@dataclass(frozen=True, slots=True)
class ReferenceFacts(ChannelFacts):
    """What the input knows of one reference image."""

    rfid: int
