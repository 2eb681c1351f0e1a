"""Pixel scale over an image: the square root of the area of sky that a pixel covers.

The area is |det CD| · |det ∂P| · (1 + ξ² + η²)^(−3/2), with the derivatives ∂P of the distortion
polynomial, and the gnomonic projection's own factor at ξ, η. Determinants count shear, and oblong
pixels, which half the product of a pixel's diagonals does not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.chip import CHIP_PX
from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.pixel_maps import PixelMaps
from transforms.sphere import DEGREE, Floats

GRID_POINTS = (25, 23)  # as many as in the paper's grid

ARCSEC_PER_DEGREE = 3600.0
Bools = NDArray[np.bool_]


class Grid(NamedTuple):
    """Points of an image where pixels are measured: pixel coordinates, the first pixel is 1.

    x, y : float64 (g,), centres of the pixels.
    """

    x: Floats
    y: Floats


def chip_grid(chip_px: tuple[int, int] = CHIP_PX, points: tuple[int, int] = GRID_POINTS) -> Grid:
    """Evenly spaced pixels from the chip's first to its last, rows of x: 575 unless said else."""
    x, y = (np.linspace(1.0, side, n) for side, n in zip(chip_px, points, strict=True))
    return Grid(np.tile(x, y.size), np.repeat(y, x.size))


def paper_grid() -> Grid:
    """The grid of Shupe et al. (SciPy 2018), for comparison: the centres of its 575 cells.

    Its cells begin at a point and end one pixel on: the last row and column, 3073 to 3074 and
    3081 to 3082, lie beyond the chip.
    """
    x, y = np.arange(1, 3074, 128) + 0.5, np.arange(1, 3082, 140) + 0.5
    return Grid(np.tile(x, y.size), np.repeat(y, x.size))


@kernel
def _polynomial(c: Floats, x: Floats, y: Floats, out: Floats) -> None:
    """Value and derivatives along x and y of Σ c[i, j] xⁱ yʲ, i + j ≤ d: out is (5, g)."""
    d = c.shape[0] - 1
    p, px, py, q, qy = out[0], out[1], out[2], out[3], out[4]
    for g in range(x.size):
        p[g] = c[d, 0]
        px[g] = 0.0
        py[g] = 0.0
    # Horner in x, whose coefficients q are polynomials in y, by Horner too; along the grid inside.
    for i in range(d - 1, -1, -1):
        for g in range(x.size):
            q[g] = c[i, d - i]
            qy[g] = 0.0
        for j in range(d - i - 1, -1, -1):
            a = c[i, j]
            for g in range(x.size):
                qy[g] = qy[g] * y[g] + q[g]
                q[g] = q[g] * y[g] + a
        for g in range(x.size):
            px[g] = px[g] * x[g] + p[g]
            p[g] = p[g] * x[g] + q[g]
            py[g] = py[g] * x[g] + qy[g]


@kernel
def _add_radial(c: Floats, x: Floats, y: Floats, out: Floats) -> None:
    """Add c₀ r + c₁ r³ + c₂ r⁵ + c₃ r⁷ and its derivatives; the derivative of r is 0 where r is."""
    for g in range(x.size):
        rr = x[g] * x[g] + y[g] * y[g]
        r = math.sqrt(rr)
        out[0, g] += r * (c[0] + rr * (c[1] + rr * (c[2] + rr * c[3])))
        slope = c[0] + rr * (3.0 * c[1] + rr * (5.0 * c[2] + rr * 7.0 * c[3]))
        slope = slope / r if r > 0.0 else 0.0
        out[1, g] += slope * x[g]
        out[2, g] += slope * y[g]


@kernel
def _any(numbers: Floats) -> bool:
    # Not np.any: to load a kernel that has it takes more of numba than all others need.
    for row in range(numbers.shape[0]):
        for column in range(numbers.shape[1]):
            if numbers[row, column] != 0.0:
                return True
    return False


@kernel
def scales_of_image(
    crpix: Floats, cd: Floats, polynomial: Floats, radial: Floats, in_pixels: bool,
    grid_x: Floats, grid_y: Floats, work: Floats, scale: Floats,
) -> None:  # fmt: skip
    """Scales of one image, arcseconds a pixel; `work` is (12, g)."""
    x, y, first, second = work[0], work[1], work[2:7], work[7:12]
    for g in range(grid_x.size):
        u, v = grid_x[g] - crpix[0], grid_y[g] - crpix[1]
        x[g] = u if in_pixels else cd[0, 0] * u + cd[0, 1] * v
        y[g] = v if in_pixels else cd[1, 0] * u + cd[1, 1] * v
    _polynomial(polynomial[0], x, y, first)
    _polynomial(polynomial[1], x, y, second)
    if not in_pixels and _any(radial):
        _add_radial(radial[0], x, y, first)
        _add_radial(radial[1], x, y, second)
    # The sign that the map has at its reference pixel: another one means that it folds over.
    a, b = polynomial[0], polynomial[1]
    sense = 1.0 if a[1, 0] * b[0, 1] - a[0, 1] * b[1, 0] >= 0.0 else -1.0
    linear = abs(cd[0, 0] * cd[1, 1] - cd[0, 1] * cd[1, 0])
    for g in range(grid_x.size):
        xi, eta = first[0, g], second[0, g]
        if in_pixels:
            xi, eta = cd[0, 0] * xi + cd[0, 1] * eta, cd[1, 0] * xi + cd[1, 1] * eta
        bent = sense * (first[1, g] * second[2, g] - first[2, g] * second[1, g])
        stretch = 1.0 + (xi * xi + eta * eta) * DEGREE * DEGREE
        area = linear * abs(bent) / (stretch * math.sqrt(stretch))
        scale[g] = math.copysign(math.sqrt(area) * ARCSEC_PER_DEGREE, bent)


@kernel
def _all_scales(
    crpix: Floats, cd: Floats, polynomial: Floats, radial: Floats, in_pixels: Bools,
    grid_x: Floats, grid_y: Floats, scales: Floats,
) -> None:  # fmt: skip
    work = np.empty((12, grid_x.size))
    for k in range(crpix.shape[0]):
        scales_of_image(
            crpix[k], cd[k], polynomial[k], radial[k], in_pixels[k], grid_x, grid_y, work, scales[k]
        )


def pixel_scales(maps: PixelMaps, grid: Grid) -> Floats:
    """Pixel scale of every image at every point.

    Returns
    -------
    float64 (n, g), arcseconds a pixel: the root of the pixel's area, within 1e-8 of astropy's. NaN
    where a map is not known; negative where a distortion is so wild that it folds the image over.
    """
    x, y = points_of(grid)
    scales = np.empty((len(maps), x.size))
    _all_scales(*arrays_of(maps), x, y, scales)
    return scales


def points_of(grid: Grid) -> tuple[Floats, Floats]:
    """The grid in the one form that kernels are compiled for.

    Raises
    ------
    TransformError : there are no points, or not as many x as y.
    """
    x, y = (np.require(one, np.float64, ["C", "A", "W"]) for one in grid)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise TransformError(f"a grid of points is needed, got {x.shape} and {y.shape}")
    return x, y


def arrays_of(maps: PixelMaps) -> tuple[Floats, Floats, Floats, Floats, Bools]:
    """The maps in the one form that kernels are compiled for."""
    numbers = (
        np.require(one, np.float64, ["C", "A", "W"])
        for one in (maps.crpix, maps.cd, maps.polynomial, maps.radial)
    )
    return (*numbers, np.require(maps.in_pixels, np.bool_, ["C", "A", "W"]))  # type: ignore[return-value]
