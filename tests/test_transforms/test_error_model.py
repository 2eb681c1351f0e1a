import numpy as np
import pytest
from realdata import REAL, needs_real

from transforms.error_model import ErrorModel, fit_error_model
from transforms.errors import TransformError

FILE = REAL / "matchfile" / "ztf_000245_zr_c10_q1_match.pytable"


def truth(mag):
    """A model of the very form: calibration, sky and source noise."""
    return 0.012 + 1.2e-9 * 10 ** (0.4 * mag) - 5e-20 * 10 ** (0.8 * mag)


def test_the_curve_is_found_again_through_noise_and_outliers():
    rng = np.random.default_rng(2)
    mag = rng.uniform(13.5, 20.8, 20_000)
    error = truth(mag) * np.exp(rng.normal(0, 0.3, mag.size))
    error[rng.random(mag.size) < 0.05] *= 10
    fitted = fit_error_model(mag, error)
    at = np.arange(14, 20.5, 0.1)
    np.testing.assert_allclose(fitted.errors(at), 1.02 * truth(at), rtol=0.04)


def test_beyond_the_limit_it_goes_on_as_a_straight_line():
    fitted = fit_error_model(np.linspace(14, 20.5, 3000), truth(np.linspace(14, 20.5, 3000)))
    assert 20.3 < fitted.limit_mag <= 20.5
    beyond = fitted.limit_mag + np.array([0.0, 0.5, 1.0, 3.0])
    step = np.diff(fitted.errors(beyond))
    assert (step > 0).all()
    np.testing.assert_allclose(step / np.diff(beyond), fitted.slope, rtol=1e-9)
    near = fitted.errors([fitted.limit_mag - 1e-6, fitted.limit_mag + 1e-6])
    assert abs(near[1] - near[0]) < 1e-6


def test_where_the_polynomial_turns_over_the_line_begins_before():
    # The real file's coefficients: negative from 21.5 on.
    fitted = ErrorModel.tangent([0.0211, -0.00058, 1.695e-9, -4.41e-18], 20.5)
    assert fitted.errors([23.0])[0] > fitted.errors([20.5])[0]
    mag = np.linspace(14, 21.4, 5000)
    power = 10 ** (0.4 * mag)
    again = fit_error_model(mag, 0.0211 - 0.00058 * mag + power * (1.695e-9 - 4.41e-18 * power))
    assert again.limit_mag < 20.1
    assert (np.diff(again.errors(np.arange(15, 25, 0.1))) > 0).all()


def test_few_points_give_their_median_and_none_give_nan():
    fitted = fit_error_model([17.0, 17.1, 17.2], [0.02, 0.03, 0.5])
    assert fitted.errors([12.0, 30.0]).tolist() == [0.03, 0.03]
    assert np.isnan(fit_error_model([], []).errors([17.0])).all()
    assert np.isnan(fit_error_model([np.nan], [np.nan]).errors([17.0])).all()
    assert np.isnan(fitted.errors([np.nan])).all()


def test_unknown_errors_say_nothing():
    mag = np.linspace(14, 20.5, 3000)
    some = np.concatenate([truth(mag), [np.nan, 0.0, -1.0, np.inf]])
    a = fit_error_model(np.append(mag, [15.0] * 4), some)
    assert a == fit_error_model(mag, truth(mag))


def test_columns_of_two_lengths_are_refused():
    with pytest.raises(TransformError, match="a magnitude for each error"):
        fit_error_model([1.0], [1.0, 2.0])


@needs_real
def test_the_real_file_has_this_form_and_a_straight_line_from_20_50_on():
    import h5py

    with h5py.File(FILE) as file:
        data = file["matches/sourcedata"]
        mag, error = data["mag"].astype(float), data["magerr"].astype(float)
        coefficients = [data.attrs[name] for name in "ABCD"]
    near = mag <= 20.5
    model = ErrorModel.tangent(coefficients, 20.5)
    np.testing.assert_allclose(model.errors(mag[near]), error[near], atol=1e-7)
    slope, intercept = (
        np.polynomial.Polynomial.fit(mag[~near], error[~near], 1).convert().coef[::-1]
    )
    np.testing.assert_allclose(error[~near], intercept + slope * mag[~near], atol=1e-7)
    assert (slope, intercept) == pytest.approx((0.06816, -1.23026), abs=1e-5)
    # Theirs is steeper than the tangent: it meets the curve, but is not of its slope.
    assert intercept + slope * 20.5 == pytest.approx(model.errors([20.5])[0], abs=1e-4)
    assert slope > 1.5 * model.slope
