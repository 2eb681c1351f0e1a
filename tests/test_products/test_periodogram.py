"""Periodograms against astropy's own, which share no code with nifty-ls."""

from __future__ import annotations

import time

import nifty_ls
import numpy as np
import pytest
from astropy.timeseries import LombScargle, LombScargleMultiband

from products.errors import NoPeriodError
from products.periodogram import Photometry, envelope, find_peaks, periodogram

PERIOD = 0.567890123


def star(n: int = 300, *, bands: str = "gr", seed: int = 3, harmonic: float = 0.0) -> Photometry:
    """A variable, observed at night for three years."""
    random = np.random.default_rng(seed)
    night = random.choice(1000, n)
    t = 58000.3 + night / 1.0027379 + random.uniform(-0.1, 0.1, n)
    band = random.choice(list(bands), n)
    phase = 2 * np.pi * t / PERIOD
    error = random.uniform(0.01, 0.03, n)
    mag = 17 + 0.5 * (band == "g") + 0.4 * np.sin(phase) + harmonic * np.sin(2 * phase + 1)
    return Photometry(t, mag + random.normal(0, error), error, band)


def test_a_search_that_nobody_waits_for_ends_with_its_filter(monkeypatch) -> None:
    made, transform = [], nifty_ls.lombscargle
    monkeypatch.setattr(
        nifty_ls, "lombscargle", lambda *given, **more: made.append(1) or transform(*given, **more)
    )

    def check() -> None:
        if made:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        periodogram(star(bands="gri"), 0.3, 20.0, check=check)
    assert len(made) == 1


@pytest.mark.parametrize("n_terms", [1, 3])
def test_one_filter_is_astropys_lomb_scargle(n_terms: int) -> None:
    points = star(bands="g", harmonic=0.2)
    found = periodogram(points, 0.3, 20.0, n_terms=n_terms)
    expected = LombScargle(points.time_d, points.value, points.error, nterms=n_terms).power(
        found.frequency, method="cython" if n_terms == 1 else "chi2"
    )
    np.testing.assert_allclose(found.power, expected, atol=1e-6)


def test_two_filters_are_astropys_multiband() -> None:
    points = star()
    found = periodogram(points, 0.4, 2.0)
    model = LombScargleMultiband(
        points.time_d, points.value, points.band, points.error, nterms_base=0, nterms_band=1
    )
    some = slice(0, None, 41)
    expected = model.power(found.frequency[some], method="flexible")
    np.testing.assert_allclose(found.power[some], expected, atol=1e-5)


def test_the_period_is_found_within_its_error_and_its_aliases_are_told() -> None:
    points = star()
    peaks = find_peaks(points, periodogram(points, 0.1, 300.0))
    # Montgomery & O'Donoghue 1999: the error of a frequency, here three times.
    error = 3 * PERIOD**2 * np.sqrt(6 / 300) / np.pi / 1000 * 0.02 / 0.4
    assert peaks[0].period_d == pytest.approx(PERIOD, abs=error)
    assert peaks[0].relation is None
    assert {peak.relation.kind for peak in peaks[1:4] if peak.relation} == {"alias"}
    frequency = np.array([1 / peak.period_d for peak in peaks])
    assert (np.abs(np.subtract.outer(frequency, frequency))[np.triu_indices(8, 1)] > 1e-3).all()


def test_a_refined_peak_is_no_lower_than_the_grid() -> None:
    points = star()
    found = periodogram(points, 0.1, 300.0)
    assert find_peaks(points, found)[0].power >= found.power.max()


def test_values_that_are_none_are_left_out() -> None:
    points = star()
    more = Photometry(
        np.append(points.time_d, [58010.0, np.nan, 58012.0]),
        np.append(points.value, [np.nan, 17.0, 12.0]),
        np.append(points.error, [0.01, 0.01, 0.0]),
        np.append(points.band, ["g", "g", "g"]),
    )
    np.testing.assert_array_equal(
        periodogram(more, 0.4, 2.0).power, periodogram(points, 0.4, 2.0).power
    )


def test_a_filter_of_too_few_points_says_nothing() -> None:
    points = star()
    more = Photometry(
        np.append(points.time_d, [58010.0, 58011.0]),
        np.append(points.value, [12.0, 19.0]),
        np.append(points.error, [0.01, 0.01]),
        np.append(points.band, ["i", "i"]),
    )
    np.testing.assert_array_equal(
        periodogram(more, 0.4, 2.0).power, periodogram(points, 0.4, 2.0).power
    )


def test_what_holds_no_period_is_refused() -> None:
    points = star(4)
    with pytest.raises(NoPeriodError, match="good points"):
        periodogram(points, 0.4, 2.0)
    with pytest.raises(NoPeriodError, match="shortest"):
        periodogram(star(), 2.0, 0.4)
    with pytest.raises(NoPeriodError, match="are to be tried"):
        periodogram(star(), 1e-5, 10.0)
    one = star(20)
    with pytest.raises(NoPeriodError, match="one moment"):
        periodogram(Photometry(np.full(20, 58000.0), one.value, one.error, one.band), 0.4, 2.0)


def test_the_envelope_keeps_every_columns_highest() -> None:
    found = periodogram(star(), 0.1, 300.0)
    frequency, power = envelope(found, 500)
    assert power.size == 500
    assert power.max() == found.power.max()
    assert frequency[np.argmax(power)] == found.frequency[np.argmax(found.power)]
    assert (np.diff(frequency) > 0).all()


def test_seven_years_of_two_thousand_points_take_a_twentieth_of_the_work_of_plain_sums() -> None:
    random = np.random.default_rng(5)
    t = 58000 + random.uniform(0, 2500, 2000)
    points = Photometry(
        t, random.normal(18, 0.1, 2000), np.full(2000, 0.1), random.choice(list("gri"), 2000)
    )
    periodogram(points, 1.0, 10.0)
    ratios = []
    # Side by side, as the machine's speed comes and goes; it is a hundredth.
    for _ in range(3):
        clock = time.process_time()
        found = periodogram(points, 0.05, 1000.0)
        taken = time.process_time() - clock
        phase = 2 * np.pi * np.outer(found.frequency[:200], t)
        assert np.isfinite(np.sin(phase) @ points.value + np.cos(phase) @ points.value).all()
        plain = (time.process_time() - clock - taken) / 200 * found.power.size
        ratios.append(taken / plain)
    assert found.power.size > 200_000
    assert min(ratios) < 0.05
