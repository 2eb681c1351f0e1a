"""Compile every kernel of the package ahead of time, into the installation.

python -m transforms.compile
"""

from __future__ import annotations

import numpy as np

from transforms.airmass import APPARENT_SIZE
from transforms.clustering import cluster
from transforms.grouping import Sources, inherit, link
from transforms.hjd import evaluate, fit_light_travel_time, light_travel_time
from transforms.image import heliocentric_and_airmass, secz
from transforms.listed import positions
from transforms.lookup import Places
from transforms.match import SkyGrid, ids_of, match_rank, matched
from transforms.photometry import colour_correction, reference_colours
from transforms.pixel_scale import chip_grid, pixel_scales
from transforms.placing import places, put
from transforms.relative_photometry import refine_zero_points
from transforms.rows import WIDTHS, fill
from transforms.scale_difference import scale_differences
from transforms.sorting import RadixSorter, ranks
from transforms.statistics import astrometric_rms, object_statistics, robust_scatter
from transforms.wcs_cards import read_cards


def compile_all() -> None:
    """Compile (or load) every kernel for the array types that the public functions pass."""
    compile_for_images()
    ra, dec = np.array([10.0, 10.1]), np.array([20.0, 20.1])
    grid = SkyGrid(ra, dec)
    grid.within(ra, dec, 1.5)
    matched(*grid.nearest(ra, dec, 1.5))
    ids = np.arange(2)
    Places(ids, ra, dec, ids).numbers_of(ids, ra, dec, 1.5, ids)
    sources = Sources(ra, dec, [1, 2])
    inherit(sources, [-1, -1], sources, [0, 1], sources, 1.5)
    link(sources, [-1, -1], sources, 1.5)
    compile_for_matchfiles()


def compile_for_images() -> None:
    """Those kernels that every image of a night goes through."""
    ra, dec = np.array([10.0, 10.1]), np.array([20.0, 20.1])
    earth, apparent = np.array([400.0, 200.0, 100.0]), np.ones(APPARENT_SIZE)
    fit = fit_light_travel_time(10.0, 20.0, 0.5, earth)
    light_travel_time(ra, dec, earth)
    evaluate(fit, ra, dec)
    secz(ra, dec, apparent)
    heliocentric_and_airmass(ra, dec, earth, apparent, fit=None)
    heliocentric_and_airmass(ra, dec, earth, apparent, fit=fit)
    index, separation = SkyGrid(ra, dec).nearest(ra, dec, 1.5)
    rank = match_rank(index, separation)
    ids_of(index, rank, np.arange(2))
    colour_correction(index, ra, 0.1)
    reference_colours(ra, dec, ra, ra, dec, ra, g_clrcoeff=0.0, r_clrcoeff=0.0)
    for kind in ("i4", "f4", "f8"):
        put(np.zeros(2, kind), ranks(np.array([1, 0], np.int32)), np.zeros(2, kind))
    maps = read_cards([None])
    scale_differences(maps, chip_grid(), pixel_scales(maps, chip_grid()), [0])


def compile_for_matchfiles() -> None:
    """Those that the rows of a matchfile go through."""
    ra, dec = np.array([10.0, 10.1]), np.array([20.0, 20.1])
    object_statistics([0, 2], ra, dec, dec)
    astrometric_rms([0, 2], ra, dec, ra[:1], dec[:1])
    cluster(ra, dec, [0, 1])
    positions([1, 2], [1])
    place = places(np.array([0], np.int32), np.array([0], np.int32), 1).place
    for kind in ("f8", "f4", "u2"):
        put(np.zeros(1, kind), place, np.zeros(1, kind))
    robust_scatter([0, 2], dec)
    # As many fields of each width as the records of measurements have.
    for counts in ((4, 11, 2), (8, 14, 2)):
        names = [
            (f"{k}{i}", f"i{w}") for w, k in zip(WIDTHS, counts, strict=True) for i in range(k)
        ]
        records = np.zeros(
            2, dtype=[(f"{at}{name}", kind) for at, (name, kind) in enumerate(names)]
        )
        fill(records, {name: records[name] for name in records.dtype.names or ()})
    star, exposure = np.divmod(np.arange(40), 2)
    refine_zero_points(star, exposure, star, star + 0.01, star < 20, stars=20, exposures=2)
    RadixSorter().sort(np.array([2, 1]))


if __name__ == "__main__":
    compile_all()
