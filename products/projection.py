"""The sky on paper: all of it (Hammer), or a part (orthographic about its middle).

East is to the left, as the sky is seen. Hammer: E. Hammer 1892, x = 2√2 cos δ sin(α/2) / k,
y = √2 sin δ / k, k = √(1 + cos δ cos(α/2)).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Label = tuple[float, float, str, str, str]

_STEPS_DEG = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)


@dataclass
class Projection:
    """How (ra, dec) becomes (x, y), and the lines and words of its grid."""

    centre_ra_deg: float
    centre_dec_deg: float
    zoomed: bool
    limits: tuple[tuple[float, float], tuple[float, float]]
    meridians: list[Floats] = field(default_factory=list)
    parallels: list[Floats] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    outline: Floats | None = None

    def __call__(self, ra_deg: Floats, dec_deg: Floats) -> Floats:
        """Places on paper, float64 (…, 2)."""
        if self.zoomed:
            return _orthographic(ra_deg, dec_deg, self.centre_ra_deg, self.centre_dec_deg)
        return _hammer(ra_deg, dec_deg, self.centre_ra_deg)

    def polygons(self, shapes: Floats) -> list[Floats]:
        """Shapes (n, k, 2) of ra, dec on paper; one that the sky's edge cuts is drawn twice."""
        if self.zoomed:
            return list(self(shapes[..., 0], shapes[..., 1]))
        # Each corner on the side of the edge where its quadrant's middle is.
        middle = shapes[:, 0, 0] + _wrap(shapes[..., 0] - shapes[:, :1, 0]).mean(axis=1)
        east = _wrap(middle - self.centre_ra_deg)
        away = east[:, None] + _wrap(shapes[..., 0] - middle[:, None])
        away = np.clip(away, -180.0, 180.0)
        return list(_hammer(away + self.centre_ra_deg, shapes[..., 1], self.centre_ra_deg, away))


def all_sky(centre_ra_deg: float = 180.0) -> Projection:
    """The whole sky, a line every 30 degrees."""
    sky = Projection(centre_ra_deg, 0.0, False, ((-2.95, -1.5), (2.95, 1.55)))
    dec = np.linspace(-90, 90, 181)
    for east in range(-180, 181, 30):
        away = np.full(181, float(east))
        sky.meridians.append(_hammer(away, dec, centre_ra_deg, away))
        if abs(east) < 180:
            x, y = _hammer(away[:1], np.array([0.0]), centre_ra_deg, away[:1])[0]
            text = f"{(centre_ra_deg + east) % 360:.0f}°"
            sky.labels.append((float(x), float(y) - 0.03, text, "center", "top"))
    away = np.linspace(-180, 180, 361)
    for parallel in range(-60, 61, 30):
        line = _hammer(away, np.full(361, float(parallel)), centre_ra_deg, away)
        sky.parallels.append(line)
        sky.labels.append(
            (
                float(line[0, 0]) + 0.05,
                float(line[0, 1]),
                f"{parallel:+d}°" if parallel else "0°",
                "left",
                "center",
            )
        )
    east_edge = _hammer(np.full(181, 180.0), dec, centre_ra_deg, np.full(181, 180.0))
    west_edge = _hammer(np.full(181, -180.0), dec, centre_ra_deg, np.full(181, -180.0))
    sky.outline = np.concatenate([east_edge, west_edge[::-1]])
    return sky


def zoomed(
    centre_ra_deg: float, centre_dec_deg: float, ra_deg: Floats, dec_deg: Floats
) -> Projection:
    """The part of the sky about a middle that holds the places given, and a degree more."""
    places = _orthographic(ra_deg, dec_deg, centre_ra_deg, centre_dec_deg)
    # Half a quadrant's diagonal and a little air.
    reach = float(np.abs(places).max()) + np.radians(0.75)
    part = Projection(centre_ra_deg, centre_dec_deg, True, ((-reach, -reach), (reach, reach)))
    reach_deg = float(np.degrees(np.arcsin(min(reach, 0.999)))) * 1.5
    _add_parallels(part, reach, reach_deg)
    _add_meridians(part, reach, reach_deg)
    part.outline = np.array([(-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach)])
    return part


def _add_parallels(part: Projection, reach: float, reach_deg: float) -> None:
    step = _step(2 * reach_deg / 1.5)
    low = max(part.centre_dec_deg - reach_deg, -90.0)
    high = min(part.centre_dec_deg + reach_deg, 90.0)
    east = _east_reach(part.centre_dec_deg, reach_deg)
    ra = part.centre_ra_deg + np.linspace(-east, east, 721)
    for dec in np.arange(np.ceil(low / step) * step, high + 1e-9, step):
        line = _inside(part(ra, np.full(721, dec)), reach)
        if len(line) > 1:
            part.parallels.append(line)
            right = line[np.argmax(line[:, 0])]
            if right[0] > 0.9 * reach:
                label = (reach * 1.02, float(right[1]), f"{dec:+g}°", "left", "center")
                part.labels.append(label)


def _add_meridians(part: Projection, reach: float, reach_deg: float) -> None:
    east = _east_reach(part.centre_dec_deg, reach_deg)
    step = _step(2 * east / 1.5)
    low = max(part.centre_dec_deg - reach_deg, -90.0)
    dec = np.linspace(low, min(part.centre_dec_deg + reach_deg, 90.0), 721)
    first = np.ceil((part.centre_ra_deg - east) / step) * step
    # Round the pole the last meridian would be the first again.
    last = min(part.centre_ra_deg + east, first + 360 - step / 2)
    for ra in np.arange(first, last + 1e-9, step):
        line = _inside(part(np.full(721, ra), dec), reach)
        if len(line) > 1:
            part.meridians.append(line)
            foot = line[np.argmin(line[:, 1])]
            if foot[1] < -0.9 * reach:
                label = (float(foot[0]), -reach * 1.02, f"{ra % 360:g}°", "center", "top")
                part.labels.append(label)


def corners(
    ra_deg: Floats,
    dec_deg: Floats,
    half_width: float,
    half_height: float,
    angle_deg: Floats | float = 0.0,
) -> Floats:
    """Corners of rectangles on the sky about places: float64 (n, 4, 2), ra and dec, degrees.

    `angle_deg` is the position angle of their height, north through east.
    """
    ra, dec = np.radians(ra_deg)[:, None], np.radians(dec_deg)[:, None]
    angle = np.radians(np.broadcast_to(angle_deg, ra_deg.shape))[:, None]
    across = np.radians(half_width) * np.array([[-1.0, 1.0, 1.0, -1.0]])
    along = np.radians(half_height) * np.array([[-1.0, -1.0, 1.0, 1.0]])
    xi = across * np.cos(angle) + along * np.sin(angle)
    eta = along * np.cos(angle) - across * np.sin(angle)
    # Gnomonic: a chip's edges are straight.
    below = np.cos(dec) - eta * np.sin(dec)
    corner_ra = ra + np.arctan2(xi, below)
    corner_dec = np.arctan2(np.sin(dec) + eta * np.cos(dec), np.hypot(xi, below))
    placed: Floats = np.degrees(np.stack([corner_ra, corner_dec], axis=-1))
    return placed


def _orthographic(ra_deg: Floats, dec_deg: Floats, ra0_deg: float, dec0_deg: float) -> Floats:
    away, dec = np.radians(ra_deg - ra0_deg), np.radians(dec_deg)
    dec0 = np.radians(dec0_deg)
    x = np.cos(dec) * np.sin(away)
    y = np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(away)
    behind = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(away) < 0
    return np.where(behind[..., None], np.nan, np.stack([-x, y], axis=-1))


def _hammer(
    ra_deg: Floats, dec_deg: Floats, centre_ra_deg: float, away_deg: Floats | None = None
) -> Floats:
    """`away_deg` tells which side of the edge a place at exactly 180 degrees is on."""
    away = np.radians(_wrap(ra_deg - centre_ra_deg) if away_deg is None else away_deg)
    dec = np.radians(dec_deg)
    k = np.sqrt(1 + np.cos(dec) * np.cos(away / 2))
    x = 2 * np.sqrt(2) * np.cos(dec) * np.sin(away / 2) / k
    return np.stack([-x, np.sqrt(2) * np.sin(dec) / k], axis=-1)


def _wrap(degrees: Floats) -> Floats:
    return (degrees + 180.0) % 360.0 - 180.0


def _east_reach(dec_deg: float, reach_deg: float) -> float:
    """How far in right ascension a circle about `dec_deg` reaches; 180 if it holds a pole."""
    if abs(dec_deg) + reach_deg >= 89.0:
        return 180.0
    ratio = np.sin(np.radians(reach_deg)) / np.cos(np.radians(dec_deg))
    return float(np.degrees(np.arcsin(min(ratio, 1.0))))


def _step(span_deg: float) -> float:
    return next((step for step in _STEPS_DEG if span_deg / step <= 8), 30.0)


def _inside(line: Floats, reach: float) -> Floats:
    return line[(np.abs(line) <= reach).all(axis=1)]
