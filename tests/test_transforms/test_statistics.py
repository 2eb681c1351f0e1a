"""All statistics of all objects at once, against numpy and scipy object by object."""

import math
from fractions import Fraction
from itertools import pairwise

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from light_curve_statistics import of_one

from transforms.errors import TransformError
from transforms.photometry import BAD_IMAGE, EDGE
from transforms.statistics import (
    Statistics,
    astrometric_rms,
    good_epochs,
    object_statistics,
    robust_scatter,
)

COUNTS = [name for name in Statistics._fields if name.startswith("n")]
# Where an epoch lies just at a limit, the last bit decides whether it is beyond.
AT_LIMITS = {name for name in Statistics._fields if name.endswith(("bystd", "bufferrange", "con"))}


def check(starts, hmjd, mag, magerr, usable):
    found = object_statistics(starts, hmjd, mag, magerr, usable)
    for i, (start, end) in enumerate(pairwise(starts)):
        columns = [column[start:end] for column in (hmjd, mag, magerr, usable)]
        truth = of_one(*columns)
        fewest, most = of_one(*columns, slack=1e-9), of_one(*columns, slack=-1e-9)
        assert truth.keys() == set(Statistics._fields)
        for name, expected in truth.items():
            ours = getattr(found, name)[i]
            if name in AT_LIMITS:
                expected = np.clip(ours, fewest[name], most[name])
            if name in COUNTS:
                assert np.array_equal(ours, expected), (name, i, ours, expected)
            else:
                np.testing.assert_allclose(
                    ours, expected, rtol=1e-8, atol=1e-9, err_msg=f"{name} {i}"
                )


# Multiples of a 64th: ties are common, and an offset takes no digits from the input.
magnitudes = st.integers(-256, 256).map(lambda i: i / 64) | st.just(math.nan) | st.just(math.inf)
errors = st.sampled_from([0.03125, 0.0625, 0.25]) | st.sampled_from([math.nan, 0.0, -1.0, math.inf])
dates = st.integers(0, 40).map(lambda i: i / 4) | st.just(math.nan)


@st.composite
def partitions(draw):
    """Objects of 0 to 34 epochs, 0 to 3 of them likely; dates in any order and often equal."""
    sizes = draw(st.lists(st.integers(0, 3) | st.integers(4, 34), max_size=4))
    n = sum(sizes)
    return (
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        draw(hnp.arrays(float, n, elements=dates)) + 59000.0,
        draw(hnp.arrays(float, n, elements=magnitudes))
        + draw(st.sampled_from([0.0, 18.0, 2.0**30])),
        draw(hnp.arrays(float, n, elements=errors)),
        draw(hnp.arrays(bool, n)),
    )


# Without shrinking: at scipy's pace that takes minutes.
@settings(max_examples=80, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(partitions())
def test_every_statistic_is_numpys_and_scipys(partition):
    check(*partition)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_real_sizes_and_offsets_keep_their_digits(offset):
    rng = np.random.default_rng(5)
    sizes = [900, 35, 61, 0, 2]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    n = starts[-1]
    check(
        starts,
        rng.uniform(58200, 60500, n),
        np.float32(offset + rng.normal(18, 0.3, n)).astype(float),
        rng.uniform(0.01, 0.1, n),
        rng.random(n) > 0.1,
    )


@pytest.mark.parametrize("offset", [0.0, 18.0, 2.0**30])
def test_sums_agree_with_exact_fractions_to_1e_12(offset):
    rng = np.random.default_rng(9)
    n = 200
    mag = offset + np.float32(rng.normal(0, 0.3, n)).astype(float)
    sigma, hmjd = rng.uniform(0.01, 0.1, n), np.sort(rng.uniform(58000, 60000, n))
    x, t = [Fraction(v) for v in mag], [Fraction(v) for v in hmjd]
    weights = [1 / Fraction(v) ** 2 for v in sigma]
    mean, middle = sum(x) / n, sum(t) / n
    weighted = sum(w * v for w, v in zip(weights, x, strict=True)) / sum(weights)
    rms = math.sqrt(sum((v - mean) ** 2 for v in x) / (n - 1))
    products = sum((a - middle) * (b - mean) for a, b in zip(t, x, strict=True))
    expected = {
        "meanmag": mean,
        "weightedmeanmag": weighted,
        "magrms": rms,
        "chi2": sum(w * (v - weighted) ** 2 for w, v in zip(weights, x, strict=True)),
        "skewness": float(sum((v - mean) ** 3 for v in x) / n) / rms**3,
        "lineartrend": products / sum((v - middle) ** 2 for v in t),
    }
    made = object_statistics([0, n], hmjd, mag, sigma)
    for name, value in expected.items():
        assert getattr(made, name)[0] == pytest.approx(float(value), rel=1e-12), name


def test_a_slow_sine_is_told_from_noise():
    t = np.linspace(59000.0, 59100.0, 400)
    noise = np.random.default_rng(2).normal(0, 0.02, 400)
    mag = np.concatenate([18 + noise, 18 + noise + 0.5 * np.sin(t / 8)])
    made = object_statistics([0, 400, 800], np.tile(t, 2), mag, np.full(800, 0.02))
    quiet, wave = range(2)
    assert made.vonneumannratio[quiet] == pytest.approx(2, abs=0.3)
    assert made.vonneumannratio[wave] < 0.1
    assert made.stetsonj[wave] > 10 > 1 > abs(made.stetsonj[quiet])
    assert made.stetsonk[quiet] == pytest.approx(math.sqrt(2 / math.pi), abs=0.03)
    assert made.chi2[quiet] / 399 == pytest.approx(1, abs=0.2)
    assert made.chi2[wave] / 399 > 100
    assert made.nconsecfrommeanbystd[wave, 0] > 5


def test_worked_example():
    made = object_statistics(
        [0, 5], [1.0, 2, 3, 5, 6], [18.0, 18.2, 18.1, 19.0, 18.2], [0.1, 0.1, 0.1, 0.1, 0.1]
    )
    assert made.meanmag[0] == pytest.approx(18.3)
    # deviations -.3 -.1 -.2 .7 -.1; squares .09 .01 .04 .49 .01
    assert made.magrms[0] == pytest.approx(math.sqrt(0.64 / 4))
    assert made.weightedmagrms[0] == pytest.approx(0.4)
    assert made.chi2[0] == pytest.approx(64)
    assert made.skewness[0] == pytest.approx((-0.027 - 0.001 - 0.008 + 0.343 - 0.001) / 5 / 0.064)
    assert made.medianmag[0] == 18.2
    assert made.medianabsdev[0] == pytest.approx(0.1)
    assert made.chisq[0] == pytest.approx(1.4826)
    assert made.vonneumannratio[0] == pytest.approx((0.04 + 0.01 + 0.81 + 0.64) / 0.64)
    assert made.maxslope[0] == pytest.approx(0.8)
    assert made.npairposslope[0] == 2
    assert made.nabovemeanbystd[0].tolist() == [1, 0, 0]
    assert made.nbelowmeanbystd[0].tolist() == [0, 0, 0]
    assert made.beyondmeanbystd[0].tolist() == [0.2, 0, 0]
    assert made.magquantiles[0, 3] == pytest.approx(18.1)


def test_what_few_epochs_cannot_tell_is_nan_and_never_zero():
    made = object_statistics([0, 0, 1, 3], [1.0, 1, 2], [18.0, 18, 18.5], [0.1, 0.1, 0.1])
    at_least_two = {"magrms", "weightedmagrms", "medianabsdev", "robustrms", "chi2", "chisq"}
    at_least_two |= {"stetsonj", "stetsonk", "lineartrend", "maxslope", "beyondmeanbystd"}
    at_least_three = {"skewness", "vonneumannratio", "lineartrenderr", "con", "smallkurtosis"}
    for name in set(Statistics._fields) - set(COUNTS):
        none, one, two = (np.isnan(values).all() for values in getattr(made, name))
        assert none, name
        assert one == (name in at_least_two | at_least_three), name
        assert two == (name in at_least_three), name
    assert made.npairposslope.tolist() == [-1, -1, 0]
    assert made.nmedianbufferrange.tolist() == [-1, 0, 2]
    assert (made.nconsecfrommeanbystd[:2] == -1).all()


def test_order_of_rows_does_not_matter_where_dates_differ():
    rng = np.random.default_rng(3)
    t, mag, err = rng.uniform(0, 9, 60), rng.normal(18, 1, 60), rng.uniform(0.1, 0.2, 60)
    t[7] = math.nan
    shuffled = np.concatenate([rng.permutation(25), 25 + rng.permutation(35)])
    starts = [0, 25, 60]
    for one, other in zip(
        object_statistics(starts, t, mag, err),
        object_statistics(starts, t[shuffled], mag[shuffled], err[shuffled]),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_part_of_the_rows_may_be_asked_for():
    t, mag = np.array([3.0, 2, 1, 0, 5]), np.array([9.0, 1, 2, 3, 9])
    made = object_statistics([1, 4], t, mag, np.ones(5))
    assert (made.minmag[0], made.maxmag[0], made.nobs[0]) == (1, 3, 3)
    assert made.lineartrend[0] == pytest.approx(-1)


def test_equal_magnitudes_have_no_spread_and_no_shape():
    # 0.1 is no binary fraction: a mean of Σm/n would be off by a bit, and the skewness anything.
    made = object_statistics([0, 7], np.arange(7.0), np.full(7, 18.1), np.full(7, 0.3))
    assert made.magrms[0] == made.chi2[0] == made.medianabsdev[0] == 0
    for name in ("skewness", "smallkurtosis", "vonneumannratio", "stetsonk"):
        assert math.isnan(getattr(made, name)[0]), name


@pytest.mark.parametrize(
    ("starts", "usable", "message"),
    [
        ([0, 4], None, "do not ascend"),
        ([-1, 3], None, "do not ascend"),
        ([2, 1, 3], None, "do not ascend"),
        ([], None, "starts of objects"),
        ([0, 3], [True], "3 booleans"),
        ([0, 3], [0, 1, 1], "3 booleans"),
    ],
)
def test_wrong_arguments_are_refused(starts, usable, message):
    three = np.ones(3)
    with pytest.raises(TransformError, match=message):
        object_statistics(starts, three, three, three, usable)


def test_median_and_its_deviation_alone_are_numpys():
    rng = np.random.default_rng(8)
    starts, mag, usable = [0, 0, 1, 4, 60, 301], rng.normal(17, 1, 301), rng.random(301) < 0.8
    mag[7], usable[2] = math.nan, True
    centre, deviation, count = robust_scatter(starts, mag, usable)
    for i, (start, end) in enumerate(pairwise(starts)):
        good = mag[start:end][usable[start:end] & np.isfinite(mag[start:end])]
        assert count[i] == good.size
        expected = np.median(good) if good.size else math.nan
        np.testing.assert_allclose(centre[i], expected, rtol=1e-15)
        expected = np.median(np.abs(good - expected)) if good.size > 1 else math.nan
        np.testing.assert_allclose(deviation[i], expected, rtol=1e-12)


def test_good_epochs_have_no_flag():
    flags = np.array([0, 1, 256, BAD_IMAGE, EDGE], dtype=np.uint16)
    assert good_epochs(flags).tolist() == [True, False, False, False, False]


@settings(max_examples=60)
@given(
    st.floats(0, 360),
    st.floats(-90, 90),
    st.integers(0, 8),
    st.sampled_from([1e-7, 1e-4, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_scatter_of_positions_is_astropys(ra, dec, n, size_deg, seed):
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(seed)
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, n) * u.deg, rng.uniform(0, size_deg, n) * u.deg
    )
    usable = rng.random(n) > 0.3
    found = astrometric_rms([0, n], there.ra.deg, there.dec.deg, [ra], [dec], usable)
    if not usable.any():
        assert math.isnan(found[0])
        return
    separation = SkyCoord(ra, dec, unit="deg").separation(there[usable]).rad
    chord = np.degrees(2 * np.sin(separation / 2)) * 3600
    assert found[0] == pytest.approx(np.sqrt(np.mean(chord**2)), rel=1e-6, abs=1e-8)


def test_every_object_needs_its_position():
    with pytest.raises(TransformError, match="2 objects, but 1 positions"):
        astrometric_rms([0, 1, 2], [1, 2], [1, 2], [1], [1])
