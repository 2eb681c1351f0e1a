"""Calibration and quality flags on ZTF's own values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import TransformError
from transforms.photometry import (
    calibrated_magnitude,
    catflags,
    colour_correction,
    is_g_minus_r,
    judge_image,
    reference_colours,
)

NO_TERM = {"g_clrcoeff": 0.0, "r_clrcoeff": 0.0}


def test_magnitude_is_instrumental_plus_zero_point():
    flux = np.array([1e4, 1e2, 0.0, -5.0])
    with np.errstate(all="ignore"):
        instrumental = -2.5 * np.log10(flux)
    assert calibrated_magnitude(instrumental, 26.25)[:2] == pytest.approx([16.25, 21.25])
    assert np.isnan(calibrated_magnitude(instrumental, 26.25)[2:]).all()


@pytest.mark.parametrize("magzp", [None, math.nan])
def test_without_a_zero_point_there_is_no_magnitude(magzp):
    assert np.isnan(calibrated_magnitude([-10.0], magzp)).all()


def test_colour_term_is_unknown_not_zero_without_a_colour():
    correction = colour_correction([0, 1, -1, 2], [0.5, math.nan, 2.0], -0.05)
    assert correction[[0, 3]] == pytest.approx([-0.025, -0.1])
    assert np.isnan(correction[[1, 2]]).all()
    assert np.isnan(colour_correction([0, -1], [0.5], None)).all()
    assert np.isnan(colour_correction([-1, -1], [], 0.1)).all()


def test_colours_are_g_minus_r_of_the_same_source():
    g_ra, g_dec, g_mag = [10.0, 10.1, 10.2, 10.3], [5.0] * 4, [18.0, 19.0, 20.0, math.inf]
    r_ra, r_dec, r_mag = [10.2, 10.0, 10.3, 10.9], [5.0] * 4, [19.0, 17.2, 18.0, 16.0]
    of_g, of_r = reference_colours(g_ra, g_dec, g_mag, r_ra, r_dec, r_mag, **NO_TERM)
    np.testing.assert_allclose(of_g, [0.8, math.nan, 1.0, math.nan])
    np.testing.assert_allclose(of_r, [1.0, 0.8, math.nan, math.nan])


def test_colours_are_on_the_standard_system():
    true, at = np.array([-0.4, 0.0, 0.6, 1.8]), ([10.0, 10.1, 10.2, 10.3], [5.0] * 4)
    c_g, c_r = -0.06, 0.09  # standard = catalogue + coefficient · colour
    r_true = np.array([15.0, 16.0, 17.0, 18.0])
    g_mag, r_mag = r_true + true - c_g * true, r_true - c_r * true
    colours = reference_colours(*at, g_mag, *at, r_mag, g_clrcoeff=c_g, r_clrcoeff=c_r)
    np.testing.assert_allclose(colours, [true, true], atol=1e-12)


@pytest.mark.parametrize(("c_g", "c_r"), [(None, 0.1), (0.1, None), (math.nan, 0.1), (1.0, 0.0)])
def test_colours_are_unknown_without_both_coefficients(c_g, c_r):
    at = ([10.0], [5.0])
    colours = reference_colours(*at, [18.0], *at, [17.0], g_clrcoeff=c_g, r_clrcoeff=c_r)
    assert np.isnan(colours).all()


def test_the_colour_of_a_coefficient_is_known_in_both_spellings():
    assert is_g_minus_r("g - R")
    assert is_g_minus_r("g-r")
    assert not is_g_minus_r("R - i")
    assert not is_g_minus_r(None)


def test_of_two_g_sources_on_one_r_source_only_the_nearer_has_its_colour():
    arcsec = 1 / 3600
    of_g, of_r = reference_colours(
        [10.0, 10.0], [5.0 + arcsec, 5.0 + 0.2 * arcsec], [20.0, 18.0], [10.0], [5.0], [17.0],
        **NO_TERM,
    )  # fmt: skip
    np.testing.assert_allclose(of_g, [math.nan, 1.0])
    np.testing.assert_allclose(of_r, [1.0])


def test_of_two_g_sources_as_near_the_first_has_the_colour():
    of_g, of_r = reference_colours(
        [10.0, 10.0], [5.0, 5.0], [20.0, 18.0], [10.0], [5.0], [17.0], **NO_TERM
    )
    np.testing.assert_allclose(of_g, [3.0, math.nan])
    np.testing.assert_allclose(of_r, [3.0])


def test_magnitudes_are_of_the_sources():
    at = ([10.0], [5.0])
    for g, r in (([18.0, 19.0], [17.0]), ([18.0], [17.0, 16.0]), ([], [17.0])):
        with pytest.raises(TransformError, match="magnitudes of 1 reference sources"):
            reference_colours(*at, g, *at, r, **NO_TERM)


def test_colours_of_empty_catalogues_are_empty():
    of_g, of_r = reference_colours([], [], [], [1.0], [2.0], [17.0], **NO_TERM)
    assert of_g.shape == (0,)
    assert np.isnan(of_r).all()


def test_edge_becomes_65535_and_mask_bits_stay():
    flags = np.array([0, 1, 4096, 8191, -1], dtype=np.int16)
    assert catflags(flags, 5, is_bad=False).tolist() == [0, 1, 4096, 8191, 65535]
    assert catflags(flags, 5, is_bad=True).tolist() == [32768, 32769, 36864, 40959, 65535]
    assert catflags(flags.astype(">i2"), 5, is_bad=False).dtype == np.dtype("=u2")


def test_without_flags_only_the_image_is_judged():
    assert catflags(None, 3, is_bad=False).tolist() == [0, 0, 0]
    assert catflags(None, 2, is_bad=True).tolist() == [32768, 32768]
    assert catflags(np.empty(0, dtype=np.int16), 0, is_bad=True).tolist() == []


@given(st.lists(st.integers(-1, 32767)), st.booleans())
def test_the_image_bit_is_on_every_row_of_a_bad_image_and_else_only_at_edges(flags, is_bad):
    values = catflags(np.array(flags, dtype=np.int16), len(flags), is_bad=is_bad)
    for flag, value in zip(flags, values.tolist(), strict=True):
        assert bool(value & 32768) == (is_bad or flag == -1)
        assert value & 32767 == flag & 32767


def test_flag_that_means_nothing_harms_only_its_row():
    flags = np.array([0, -2, -32768, 3], dtype=np.int16)
    assert catflags(flags, 4, is_bad=False).tolist() == [0, 65535, 65535, 3]


@pytest.mark.parametrize("flags", [np.array([40000]), np.array([0.0])])
def test_flags_that_are_none_are_refused(flags):
    with pytest.raises(TransformError, match="flags"):
        catflags(flags, 1, is_bad=False)
    with pytest.raises(TransformError, match="2 integer flags"):
        catflags(np.zeros(1, dtype=np.int16), 2, is_bad=False)


@pytest.mark.parametrize("infobits", [None, 0, 65536, 2**25 - 1])
def test_image_below_bit_25_is_usable(infobits):
    assert judge_image(infobits) == (False, None)


def test_reason_names_the_rule_and_the_bits():
    assert judge_image(33554432) == (
        True,
        "infobits 33554432 >= 33554432: bit 25 (probably unusable: photometric quality)",
    )
    assert judge_image(2**25 + 2**26 + 2048)[1].endswith("photometric quality), bit 26 (bad frame)")
    # A real image (metadata of field 203): bits 11 and 25.
    assert judge_image(np.int64(33556480))[0]


def test_a_colour_of_no_source_is_refused():
    with pytest.raises(TransformError, match="index 2, but 2 reference sources"):
        colour_correction([0, 2], [0.5, 0.6], 0.1)
