"""What is typed, against what astropy makes of it."""

from __future__ import annotations

import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from service.errors import BadRequestError, LimitError
from service.page.targets import MOST_TARGETS, parse_targets

M87 = SkyCoord(187.70593, 12.39112, unit="deg")


@pytest.mark.parametrize(
    "text",
    [
        "187.70593 12.39112",
        "187.70593, +12.39112",
        "187.70593\t12.39112",
        "187.70593d 12.39112d",
        "12h30m49.4232s +12d23m28.032s",
        "12:30:49.4232 +12:23:28.032",
        "12 30 49.4232 +12 23 28.032",
        "12:30:49.4232, +12:23:28.032",
        "J123049.423+122328.03",
        "ZTF J123049.423+122328.03",
        "icrs 187.70593 12.39112",
        "J2000 12:30:49.4232 +12:23:28.032",
        f"galactic {M87.galactic.l.deg:.7f} {M87.galactic.b.deg:.7f}",
        f"gal {M87.galactic.l.deg:.7f}, {M87.galactic.b.deg:.7f}",
        f"B1950 {M87.fk4.to_string('hmsdms', precision=4)}",
    ],
)
def test_every_spelling_is_the_same_place(text: str) -> None:
    (target,) = parse_targets(text)
    found = SkyCoord(target.ra_deg, target.dec_deg, unit="deg")
    assert found.separation(M87) < 0.05 * units.arcsec


def test_a_paste_of_many_is_many() -> None:
    text = "ra,dec\n187.70593,12.39112\n# a star\n\n655212300000730, 655112300000567\n10 -20; 0 0"
    found = parse_targets(text)
    assert [target.oid for target in found] == [None, 655212300000730, 655112300000567, None, None]
    assert (found[3].ra_deg, found[3].dec_deg) == (10.0, -20.0)


@pytest.mark.parametrize(
    "text", ["M87", "12 95", "400 10", "1", "187.7", "9" * 19, "1 2 3 4", "NaN 1", "<b>1</b>"]
)
def test_what_is_neither_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadRequestError, match="neither an object id nor a position"):
        parse_targets(text)


def test_right_ascension_goes_round() -> None:
    assert parse_targets("-10 0")[0].ra_deg == 350.0


def test_nothing_is_nothing() -> None:
    assert parse_targets(" \n ") == []


def test_too_many_are_refused() -> None:
    with pytest.raises(LimitError, match="too many"):
        parse_targets("\n".join(["10 20"] * (MOST_TARGETS + 1)))
