"""What the air and the Earth's motion do to the mean pixel scale of an image.

A pixel sees a piece of the sky as it is seen; its scale is told on the sky of the catalogues.
Refraction lifts, and lifts low directions more, so that a pixel holds more of that sky; flying
towards a direction narrows what is seen of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from transforms.atmosphere import Air, bending, observed_zenith_distance
from transforms.sphere import Floats, unit_vectors


def refraction_scale(zenith_distance: ArrayLike, air: Air | None = None) -> Floats:
    """Pixel scale in air over that without, by observed zenith distance (n,), radians.

    √((1 + dR/dz) · sin(z + R) / sin z), z observed: the vertical stretch and that along the
    horizon. It is 1.00022 at the zenith of Palomar, not 1.
    """
    z = np.atleast_1d(np.asarray(zenith_distance, dtype=np.float64))
    bent = bending(z, air)
    along = np.cos(bent.refraction) + np.cos(z) * bent.per_sine * np.sinc(bent.refraction / np.pi)
    return np.sqrt((1.0 + bent.slope) * along)


def scale_change_percent(
    airmass: ArrayLike, air: Air | None = None, *, observed: bool = False
) -> Floats:
    """Change of the mean pixel scale against the zenith, percent: the figure's model line.

    Parameters
    ----------
    airmass : (n,) secant of the true zenith distance, as `secz` gives it; of the observed one, as
        it is seen through the air, if `observed`.
    air : at the telescope; None is the paper's for Palomar, 0.80 atm and 15 °C.

    Returns
    -------
    float64 (n,); NaN for an airmass below 1 or beyond 20. By true zenith distance 0.155, 0.338,
    0.558 and 0.797 at airmass 4, 6, 8 and 10; by observed zenith distance 0.156, 0.343, 0.571 and
    0.822. The line that Shupe et al. (SciPy 2018) draw, 0.16, 0.36, 0.58 and 0.84, is near the
    latter; their measurements, at airmasses of true zenith distance, lie on the former.
    """
    secant = np.atleast_1d(np.asarray(airmass, dtype=np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.arccos(1.0 / np.where(secant >= 1.0, secant, np.nan))
    if not observed:
        z = observed_zenith_distance(z, air)
    return 100.0 * (refraction_scale(z, air) / refraction_scale(0.0, air) - 1.0)


def aberration_scale(ra_deg: ArrayLike, dec_deg: ArrayLike, velocity_c: ArrayLike) -> Floats:
    """Pixel scale as seen from the moving Earth over that at rest: 1 ± 1e-4 over a year.

    Divide a measured scale by it to remove annual aberration. γ (1 + n·v/c), exact for an area:
    cos θ' = (cos θ + β) / (1 + β cos θ).

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees of the images' centres.
    velocity_c : (n, 3) or (3,), barycentric velocity of the observer, ICRS axes, units of the
        speed of light: places 3 to 5 of `ObserverContexts.apparent`.

    Returns
    -------
    float64 (n,); NaN where a coordinate is.
    """
    velocity = np.asarray(velocity_c, dtype=np.float64)
    along = (unit_vectors(ra_deg, dec_deg).T * velocity).sum(axis=1)
    factor: Floats = (1.0 + along) / np.sqrt(1.0 - (velocity**2).sum(axis=-1))
    return factor
