from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.time import Time
from astropy.timeseries import TimeSeries
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binned_statistic

from transforms.flux import microjansky
from transforms.folding import bin_by_phase, phases


def test_phases_are_astropys() -> None:
    time = 59000 + np.random.default_rng(1).uniform(0, 2000, 500)
    folded = TimeSeries(time=Time(time, format="mjd")).fold(
        period=0.5678912 * units.day,
        epoch_time=Time(59000.25, format="mjd"),
        normalize_phase=True,
        wrap_phase=1.0,
    )
    expected = np.asarray(folded.time)
    difference = phases(time, 0.5678912, 59000.25) - expected
    np.testing.assert_allclose(difference - np.round(difference), 0, atol=1e-9)


@given(
    st.lists(st.floats(-1e5, 1e5), max_size=20),
    st.floats(1e-3, 1e4),
    st.floats(-1e5, 1e5),
)
def test_a_phase_is_never_one(time: list[float], period: float, epoch: float) -> None:
    phase = phases(np.array(time), period, epoch)
    assert ((phase >= 0) & (phase < 1)).all()


@pytest.mark.parametrize("period", [0.0, -1.0, np.nan, np.inf])
def test_a_period_is_above_nothing(period: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        phases(np.array([1.0]), period, 0.0)


def test_bins_are_scipys() -> None:
    random = np.random.default_rng(2)
    phase, value = random.uniform(0, 1, 400), 18 + random.normal(0, 0.1, 400)
    bins = bin_by_phase(phase, value, np.full(400, 0.1), 20)
    expected, _, _ = binned_statistic(phase, value, "mean", 20, (0, 1))
    np.testing.assert_allclose(bins.value, expected, rtol=1e-12)
    counts, _, _ = binned_statistic(phase, value, "count", 20, (0, 1))
    np.testing.assert_array_equal(bins.n, counts)
    np.testing.assert_allclose(bins.error, 0.1 / np.sqrt(counts))
    spread, _, _ = binned_statistic(phase, value, lambda v: np.std(v, ddof=1), 20, (0, 1))
    np.testing.assert_allclose(bins.scatter, spread, rtol=1e-9)


def test_weights_are_those_of_the_errors() -> None:
    value, error = np.array([18.0, 18.3, 19.0]), np.array([0.01, 0.02, 0.03])
    bins = bin_by_phase(np.array([0.1, 0.12, 0.11]), value, error, 2)
    np.testing.assert_allclose(bins.value, [np.average(value, weights=error**-2)])
    np.testing.assert_allclose(bins.phase, [0.25])


def test_what_has_no_error_has_no_weight_beside_what_has_one() -> None:
    phase, value = np.array([0.1, 0.1, 0.6, 0.6]), np.array([18.0, 19.0, 17.0, 18.0])
    bins = bin_by_phase(phase, value, np.array([0.1, np.nan, np.nan, 0.0]), 2)
    np.testing.assert_allclose(bins.value, [18.0, 17.5])
    np.testing.assert_array_equal(np.isnan(bins.error), [False, True])


def test_nothing_is_binned_to_nothing() -> None:
    nothing = np.array([np.nan])
    assert bin_by_phase(nothing, nothing, nothing, 5).n.size == 0


def test_flux_is_astropys_ab() -> None:
    mag = np.array([14.0, 20.5])
    expected = (mag * units.ABmag).to_value(units.microjansky)
    flux, error = microjansky(mag, np.array([0.01, 0.1]))
    # astropy's AB zero point is 10^(-19.44) erg/s/cm²/Hz, ours 3631 Jy: 2e-5 apart.
    np.testing.assert_allclose(flux, expected, rtol=1e-4)
    np.testing.assert_allclose(error / flux, np.log(10) / 2.5 * np.array([0.01, 0.1]))
