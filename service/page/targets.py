"""What is typed into the search: object ids, and positions in whatever spelling astropy reads.

No name is resolved: nothing is asked of the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.errors import BadRequestError, LimitError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

# Of one page: more are asked for through the API, which takes tables.
MOST_TARGETS = 100
_OID = re.compile(r"\d{10,19}")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_DEGREES = re.compile(rf"({_NUMBER})(?:\s*[,;|\t]\s*|\s+)({_NUMBER})")
_NAMED = re.compile(r"J\s*\d{6}", re.IGNORECASE)
_FRAMES = {
    "icrs": "icrs", "j2000": "fk5", "fk5": "fk5", "b1950": "fk4", "fk4": "fk4",
    "gal": "galactic", "galactic": "galactic", "ecl": "barycentrictrueecliptic",
    "ecliptic": "barycentrictrueecliptic",
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One thing that is searched: an object, or a position (degrees, ICRS).

    `text` is what was typed.
    """

    text: str
    oid: int | None = None
    ra_deg: float = 0.0
    dec_deg: float = 0.0

    @property
    def words(self) -> str:
        """How it is named to a reader."""
        if self.oid is not None:
            return str(self.oid)
        return f"{self.ra_deg:.6f} {self.dec_deg:+.6f}"


def parse_targets(text: str) -> list[Target]:
    """All that is typed: one a line, or apart by semicolons; ids also by commas or blanks.

    Lines that begin with # or hold no digit (a header) are passed over.

    Raises
    ------
    BadRequestError : a line is neither an id nor a position.
    LimitError : there are too many.
    """
    found: list[Target] = []
    for line in re.split(r"[\n;]+", text):
        line = line.strip()
        if line.startswith("#") or not any(c.isdigit() for c in line):
            if line and not line.startswith("#") and "\n" not in text.strip():
                raise _refused(line)
            continue
        words = [word for word in re.split(r"[\s,]+", line) if word]
        if all(_OID.fullmatch(word) for word in words):
            found += [Target(word, oid=_oid(word)) for word in words]
        else:
            found.append(_position(line))
        if len(found) > MOST_TARGETS:
            raise LimitError("too many objects for one page", MOST_TARGETS)
    return found


def _oid(word: str) -> int:
    oid = int(word)
    if oid >= 2**63:
        raise _refused(word)
    return oid


def _position(line: str) -> Target:
    """The position that a line spells.

    Raises
    ------
    BadRequestError : it spells none.
    """
    import numpy as np

    plain = _DEGREES.fullmatch(line)
    try:
        if plain is not None:
            ra, dec = float(plain[1]), float(plain[2])
            if abs(dec) > 90 or not -360 <= ra <= 360:
                raise ValueError("out of range")
        else:
            icrs: Any = _coordinate(line).icrs
            ra, dec = float(icrs.ra.deg), float(icrs.dec.deg)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise _refused(line) from error
    if not (np.isfinite(ra) and np.isfinite(dec)):
        raise _refused(line)
    return Target(line, ra_deg=ra % 360.0, dec_deg=dec)


def _coordinate(line: str) -> SkyCoord:
    from astropy import units
    from astropy.coordinates import SkyCoord, jparser

    first, _, rest = line.partition(" ")
    frame = _FRAMES.get(first.lower().rstrip(":,"))
    if frame is not None and rest:
        line = rest.strip()
    elif _NAMED.search(line):
        return jparser.to_skycoord(line)
    frame = frame or "icrs"
    if _DEGREES.fullmatch(line):
        return SkyCoord(line.replace(",", " "), frame=frame, unit=units.deg)
    try:
        return SkyCoord(line, frame=frame)
    except ValueError:
        # Without any unit: hours first, as 12:34:56 +12:34:56 or 12 34 56 +12 34 56.
        return SkyCoord(line.replace(",", " "), frame=frame, unit=(units.hourangle, units.deg))


def _refused(line: str) -> BadRequestError:
    shown = line if len(line) <= 60 else f"{line[:59]}…"
    return BadRequestError(
        f"“{shown}” is neither an object id nor a position",
        "Give ids of 15 digits or more, or positions as 187.70593 12.39112, "
        "12:30:49.42 +12:23:28.0, 12h30m49.4s +12d23m28s, galactic 283.78 74.49; names of stars "
        "are not looked up.",
    )
