import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.linalg import lsqr

from transforms.errors import TransformError
from transforms.relative_photometry import refine_zero_points


def night(stars=200, exposures=40, seed=1, variable=0, seen=0.9, noise=0.02):
    rng = np.random.default_rng(seed)
    zero = np.where(rng.random(exposures) < 0.4, rng.exponential(0.1, exposures), 0.0)
    zero += rng.normal(0, 0.01, exposures)
    star, exposure = np.repeat(np.arange(stars), exposures), np.tile(np.arange(exposures), stars)
    keep = rng.random(star.size) < seen
    star, exposure = star[keep], exposure[keep]
    mag = rng.uniform(14, 17, stars)[star] + zero[exposure] + noise * rng.normal(size=star.size)
    mag += np.where(star < variable, 0.5 * rng.normal(size=star.size), 0)
    return star, exposure, mag, np.full(star.size, noise), zero


def solve(star, exposure, mag, error, usable=None, **counts):
    usable = np.ones(star.size, bool) if usable is None else usable
    counts = {"stars": star.max() + 1, "exposures": exposure.max() + 1} | counts
    return refine_zero_points(star, exposure, mag, error, usable, **counts)


def centred(values):
    return values - np.median(values)


def test_zero_points_are_found_to_the_noise_of_their_calibrators():
    *columns, zero = night()
    found = solve(*columns)
    residual = centred(found.correction + zero)
    assert np.std(residual) < 1.3 * 0.02 / np.sqrt(180)
    assert np.std(zero) > 0.05
    assert np.median(found.error) == pytest.approx(np.hypot(0.02, 0.01) / np.sqrt(180), rel=0.05)
    assert np.median(found.correction) == 0


def test_it_is_the_solution_of_least_squares():
    star, exposure, mag, error, _ = night(seed=3)
    found = solve(star, exposure, mag, error)
    # scipy's sparse solver, without weights of outliers: of plain noise they matter little.
    n, m, k = star.size, 200, 40
    matrix = coo_array(
        (np.ones(2 * n), (np.tile(np.arange(n), 2), np.concatenate([star, m + exposure]))),
        shape=(n, m + k),
    ).tocsr()
    expected = -lsqr(matrix, mag, atol=1e-12, btol=1e-12)[0][m:]
    assert np.abs(centred(found.correction) - centred(expected)).max() < 0.001


def test_variable_stars_are_left_out_and_outliers_do_not_count():
    *columns, zero = night(variable=30)
    found = solve(*columns)
    assert not found.calibrators[:30].any()
    assert found.calibrators[30:].mean() > 0.97
    mag = columns[2].copy()
    mag[::17] += 3.0
    star, exposure, _, error = columns
    spoilt = solve(star, exposure, mag, error)
    assert np.std(centred(spoilt.correction + zero)) < 0.004


def test_flagged_and_faint_measurements_do_not_count():
    *columns, zero = night()
    star, exposure, mag, error = columns
    usable = star >= 20
    spoilt = np.where(usable, mag, mag + 2.0 * (exposure % 2))
    found = solve(star, exposure, spoilt, error, usable)
    assert np.std(centred(found.correction + zero)) < 0.003
    assert not found.calibrators[:20].any()
    faint = solve(star, exposure, mag, np.full(star.size, 0.2))
    assert not faint.refined.any()
    assert (faint.correction == 0).all()


def test_an_exposure_with_few_calibrators_is_left_as_it_is():
    star, exposure, mag, error, _ = night()
    keep = (exposure != 7) | (star < 5)
    found = solve(*(column[keep] for column in (star, exposure, mag, error)))
    assert not found.refined[7]
    assert (found.correction[7], np.isnan(found.error[7])) == (0.0, True)
    assert found.refined.sum() == 39


def test_nothing_is_refined_of_one_exposure_or_none():
    star, exposure, mag, error, _ = night(exposures=1)
    assert not solve(star, exposure, mag, error).refined.any()
    nothing = np.array([], dtype=int)
    found = refine_zero_points(nothing, nothing, [], [], [], stars=0, exposures=3)
    assert found.correction.tolist() == [0, 0, 0]
    with pytest.raises(TransformError, match="of one length"):
        refine_zero_points([0], [0], [1.0], [1.0, 2.0], [True], stars=1, exposures=1)
