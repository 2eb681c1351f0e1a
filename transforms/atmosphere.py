"""Refraction by a standard atmosphere: the ray is integrated, not expanded in tan z.

A tan z + B tan³z is a tenth short of the stretch of a pixel at airmass 10. The integral is that of
Auer & Standish (2000, AJ 119, 2472) over height: dR = −tan ψ d(ln n), with n r sin ψ constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from transforms.errors import TransformError
from transforms.sphere import Floats

HPA_PER_ATM = 1013.25
KELVIN = 273.15

# The atmosphere of Hohenkerk & Sinclair (1985, NAO Technical Note 63), as in SLALIB's sla_REFRO:
# a troposphere of constant lapse rate in equilibrium, and an isothermal stratosphere.
EARTH_RADIUS_M = 6378120.0
TROPOPAUSE_M, TOP_M = 11_000.0, 80_000.0
LAPSE_K_PER_M = 0.0065
GRAVITY_M_S2 = 9.784
MOLAR_MASS, GAS_CONSTANT = 28.9644, 8314.32  # kg/kmol, J/(kmol K)

# Beyond, the ray runs along the ground, and depends on the weather more than on a model.
LARGEST_ZENITH_DISTANCE = np.radians(87.0)  # airmass 19, of the true one 20
NODES = 48  # of a Gauss-Legendre rule in each layer


@dataclass(frozen=True, slots=True)
class Air:
    """Dry air at the telescope; the default is the paper's for Palomar.

    Headers of ZTF do not know the pressure: PRESSURE is −9999.

    Parameters
    ----------
    pressure_hpa : 0.80 atm = 810.6 hPa.
    temperature_c : degrees Celsius.
    wavelength_um : 0.64 is the r band.
    height_m : above the sea; OBSALT of ZTF's headers.
    """

    pressure_hpa: float = 0.80 * HPA_PER_ATM
    temperature_c: float = 15.0
    wavelength_um: float = 0.64
    height_m: float = 1668.0

    @property
    def refractivity(self) -> float:
        """n − 1 at the telescope, by the formula of ERFA's `eraRefco` (IAG 1999)."""
        per_hpa = 77.53484e-6 + (4.39108e-7 + 3.666e-9 / self.wavelength_um**2) / (
            self.wavelength_um**2
        )
        return per_hpa * self.pressure_hpa / (self.temperature_c + KELVIN)


class Bending(NamedTuple):
    """What refraction does to directions: float64 (n,) each.

    refraction : true minus observed zenith distance, radians.
    per_sine : `refraction` over the sine of the observed zenith distance, also at the zenith.
    slope : its derivative by the observed zenith distance.
    """

    refraction: Floats
    per_sine: Floats
    slope: Floats


def bending(observed_zenith_distance: ArrayLike, air: Air | None = None) -> Bending:
    """Refraction by observed zenith distance.

    Parameters
    ----------
    observed_zenith_distance : (n,) radians, 0 to 87°; NaN beyond.
    air : at the telescope; None is the paper's for Palomar.

    Returns
    -------
    Bending, within 1e-5 of a ray followed step by step through the same atmosphere.

    Raises
    ------
    TransformError : the air is none, or the telescope not in the troposphere.
    """
    z = np.atleast_1d(np.asarray(observed_zenith_distance, dtype=np.float64))
    z = np.where((z >= 0.0) & (z <= LARGEST_ZENITH_DISTANCE), z, np.nan)
    here = air or Air()
    weight, n, fall, r = _layers(here)
    # sin ψ = ratio · sin z along the ray.
    ratio = (1.0 + here.refractivity) * (EARTH_RADIUS_M + here.height_m) / (n * r)
    path = weight * fall / n * ratio
    cos_psi = np.sqrt(1.0 - (np.sin(z)[:, None] * ratio) ** 2)
    per_sine = (path / cos_psi).sum(axis=1)
    slope = np.cos(z) * (path / cos_psi**3).sum(axis=1)
    return Bending(np.sin(z) * per_sine, per_sine, slope)


def observed_zenith_distance(true_zenith_distance: ArrayLike, air: Air | None = None) -> Floats:
    """Where a direction is seen: radians (n,); NaN where that is below 87°."""
    true = np.atleast_1d(np.asarray(true_zenith_distance, dtype=np.float64))
    seen = np.minimum(true, LARGEST_ZENITH_DISTANCE)
    for _ in range(6):  # of Newton's; the third changes nothing above airmass 10
        bent = bending(seen, air)
        seen = np.clip(
            seen - (seen + bent.refraction - true) / (1.0 + bent.slope),
            0.0,
            LARGEST_ZENITH_DISTANCE,
        )
    bent = bending(seen, air)
    return np.where(np.abs(seen + bent.refraction - true) < 1e-9, seen, np.nan)


def _layers(air: Air) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights (m), n, −dn/dr (1/m) and r (m) at the nodes of both layers."""
    surface = air.temperature_c + KELVIN
    top = surface - LAPSE_K_PER_M * (TROPOPAUSE_M - air.height_m)
    if not (air.pressure_hpa >= 0 and top > 0 and air.height_m < TROPOPAUSE_M):
        raise TransformError(f"no atmosphere has {air}")
    weight_of = GRAVITY_M_S2 * MOLAR_MASS / GAS_CONSTANT  # K/m
    node, weight = np.polynomial.legendre.leggauss(NODES)

    low = air.height_m + (TROPOPAUSE_M - air.height_m) * (node + 1) / 2
    temperature = surface - LAPSE_K_PER_M * (low - air.height_m)
    power = weight_of / LAPSE_K_PER_M - 1.0
    low_n = air.refractivity * (temperature / surface) ** power
    low_fall = low_n * power * LAPSE_K_PER_M / temperature

    high = TROPOPAUSE_M + (TOP_M - TROPOPAUSE_M) * (node + 1) / 2
    at_tropopause = air.refractivity * (top / surface) ** power
    high_n = at_tropopause * np.exp(-weight_of / top * (high - TROPOPAUSE_M))
    high_fall = high_n * weight_of / top

    widths = np.concatenate(
        [weight * (TROPOPAUSE_M - air.height_m) / 2, weight * (TOP_M - TROPOPAUSE_M) / 2]
    )
    return (
        widths, 1.0 + np.concatenate([low_n, high_n]), np.concatenate([low_fall, high_fall]),
        EARTH_RADIUS_M + np.concatenate([low, high]),
    )  # fmt: skip
