"""WCS cards to pixel maps: every form against astropy's reading of the same cards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcscards import LINEAR, NO_CD, astropy_scales, astropy_wcs, cards

from transforms.pixel_scale import chip_grid, pixel_scales
from transforms.wcs_cards import PLACE, read_cards

GRID = chip_grid(points=(5, 4))
ROUNDING = 1e-8  # astropy's: a pixel's corners differ in the ninth digit of an angle
OWN = {"PV1_1": 1.0, "PV2_1": 1.0}
EVERY = np.random.default_rng(5).normal(0, 4e-3, 40).tolist()

FORMS = {
    "TAN": ("TAN", LINEAR),
    "TAN without off-diagonal": ("TAN", {k: v for k, v in LINEAR.items() if k[2:] != "1_2"}),
    "CDELT and PC": ("TAN", {**NO_CD, "CDELT1": -2.8e-4, "CDELT2": 2.9e-4, "PC1_2": 0.2}),
    "CDELT and CROTA2": ("TAN", {**NO_CD, "CDELT1": -2.8e-4, "CDELT2": 2.9e-4, "CROTA2": 31.0}),
    "CD before CDELT": ("TAN", {**LINEAR, "CDELT1": 5.0, "CDELT2": 1.0}),
    "sheared": ("TAN", {**LINEAR, "CD1_2": 1.4e-4}),
    "TPV of degree 7 with r": (
        "TPV",
        {
            **LINEAR,
            **{f"PV{i}_{m}": v for i in (1, 2) for m, v in enumerate(EVERY)},
            **OWN,
        },
    ),
    "TPV of degree 4": (
        "TPV",
        {**LINEAR, **OWN, "PV1_2": 3e-3, "PV2_2": -2e-3, "PV1_5": 4e-3, "PV2_9": 5e-3},
    ),
    "SCAMP's TAN": ("TAN", {**LINEAR, **OWN, "PV1_4": 2e-3, "PV1_7": 5e-3, "PV2_4": 3e-3}),
    "TAN with LONPOLE": ("TAN", {**LINEAR, "PV1_3": 170.0}),
    "SIP": (
        "TAN-SIP",
        {
            **LINEAR, "A_ORDER": 4, "B_ORDER": 3, "A_2_0": 2e-6, "A_1_1": -1e-6, "A_0_4": 3e-13,
            "B_0_2": 1e-6, "B_3_0": 2e-10, "B_0_1": 1e-4, "B_0_4": 1.0,
        },
    ),
    "SIP without its suffix": ("TAN", {**LINEAR, "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 2e-6}),
    "SIP of degree 9": ("TAN-SIP", {**LINEAR, "A_ORDER": 9, "B_ORDER": 9, "A_4_5": 1e-31}),
    "SIP beside SCAMP's PV": (
        "TAN-SIP", {**LINEAR, **OWN, "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 2e-6, "PV1_7": 5e-3},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_pixels_are_those_of_astropys_wcs(form):
    text = cards(*FORMS[form])
    maps = read_cards([text])
    assert maps.problems == ("",)
    expected = astropy_scales(astropy_wcs(text), GRID.x, GRID.y)
    np.testing.assert_allclose(pixel_scales(maps, GRID)[0], expected, rtol=ROUNDING)


def test_many_forms_at_once_are_those_one_by_one():
    texts = [cards(*form) for form in FORMS.values()]
    at_once = pixel_scales(read_cards([*texts, None]), GRID)
    one_by_one = [pixel_scales(read_cards([text]), GRID)[0] for text in texts]
    np.testing.assert_allclose(at_once[:-1], one_by_one, rtol=1e-13)
    assert np.isnan(at_once[-1]).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
@settings(max_examples=25)
def test_any_distortion_of_tpv_is_astropys(seed, degree):
    rng = np.random.default_rng(seed)
    last = {1: 3, 2: 6, 3: 11, 4: 16, 5: 23, 6: 30, 7: 39}[degree]
    pv = {f"PV{i}_{m}": v for i in (1, 2) for m, v in enumerate(rng.normal(0, 5e-3, last + 1))}
    text = cards("TPV", {**LINEAR, **pv, **OWN})
    expected = astropy_scales(astropy_wcs(text), GRID.x, GRID.y)
    np.testing.assert_allclose(pixel_scales(read_cards([text]), GRID)[0], expected, rtol=ROUNDING)


BROKEN = {
    "no WCS": None,
    "no CRPIX": cards("TAN", {k: v for k, v in LINEAR.items() if k != "CRPIX2"}),
    "no linear matrix": cards("TAN", NO_CD),
    "PV2_1 is missing": cards("TPV", {**LINEAR, "PV1_1": 1.0}),
    "PV1_1 is missing": cards("TAN", {**LINEAR, "PV2_1": 1.0, "PV1_7": 1e-3}),
    "CTYPE RA---ZPN, DEC--ZPN is not read": cards("ZPN", LINEAR),
    "CTYPE missing, missing is not read": cards("TAN", LINEAR)[160:],
    "CUNIT arcsec, deg is not deg": cards("TAN", {**LINEAR, "CUNIT1": "arcsec", "CUNIT2": "deg"}),
    "A_ORDER without B_ORDER, or the reverse": cards("TAN-SIP", {**LINEAR, "A_ORDER": 2}),
    "SIP of a degree above 9": cards("TAN-SIP", {**LINEAR, "A_ORDER": 10, "B_ORDER": 2}),
    "TPV and SIP at once": cards("TPV", {**LINEAR, **OWN, "A_ORDER": 2, "B_ORDER": 2}),
    "CD1_1 is no number": cards("TAN", LINEAR).replace("-0.00028126", "  somewhere"),
    "CD2_2 is no number": cards("TAN", LINEAR).replace("-0.00028127", "        nan"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_what_is_no_map_is_told_and_has_no_scale(problem):
    whole = cards("TAN", LINEAR)
    maps = read_cards([whole, BROKEN[problem], whole])
    assert maps.problems == ("", problem, "")
    found = np.isnan(pixel_scales(maps, GRID)).all(axis=1)
    assert found.tolist() == [False, True, False]


@given(st.data())
@settings(max_examples=60)
def test_damaged_cards_raise_nothing(data):
    text = cards(*FORMS[data.draw(st.sampled_from(sorted(FORMS)))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        put = data.draw(
            st.sampled_from(["9", "E", "inf", "-1e300", "= ", "/", "'", "nan", "\0", ""])
        )
        text = text[:at] + put + text[at + len(put) or 1 :]
    maps = read_cards([text])
    scales = pixel_scales(maps, GRID)
    assert not (maps.problems[0] and np.isfinite(scales).any())


def test_a_singular_matrix_is_none():
    text = cards("TAN", {**LINEAR, "CD1_1": 1e-4, "CD1_2": 1e-4, "CD2_1": 1e-4, "CD2_2": 1e-4})
    assert read_cards([text]).problems == ("no linear matrix",)


def test_numbers_are_read_as_fits_allows_them():
    free = "".join(
        card.ljust(80)
        for card in (
            "CTYPE1  = 'RA---TAN'           / first", "CTYPE2  = 'DEC--TAN'",
            "CRPIX1  = 1536.5D0 / Fortran", "CRPIX2  =1540", "CRPIX2  =                 1540.5",
            # Longer than the twenty columns of fixed format: the exponent must not be cut off.
            "CD1_1   = -2.812600000000000000000000E-04", "CD2_2   = -.00028127 / comment = 5",
            "CRPIX1  = 7.0 / repeated: the first counts", "COMMENT CD1_2   = 1.0", "PV1_1",
        )
    )  # fmt: skip
    maps = read_cards([free])
    assert maps.problems == ("",)
    assert maps.crpix.tolist() == [[1536.5, 1540.5]]
    np.testing.assert_array_equal(maps.cd, [[[-2.8126e-4, 0.0], [0.0, -2.8127e-4]]])


def test_no_images_are_no_maps():
    maps = read_cards([])
    assert len(maps) == 0
    assert pixel_scales(maps, GRID).shape == (0, 20)


def test_every_place_is_one_keywords():
    assert len(set(PLACE.values())) == len(PLACE)


def test_the_reference_pixel_of_a_piece_is_set_to_the_quadrants():
    piece = read_cards([cards("TPV", {**LINEAR, **OWN, "PV1_7": 5e-3, "CRPIX1": -137.5})])
    whole = read_cards([cards("TPV", {**LINEAR, **OWN, "PV1_7": 5e-3})])
    assert np.abs(pixel_scales(piece, GRID) / pixel_scales(whole, GRID) - 1).max() > 1e-5
    np.testing.assert_array_equal(pixel_scales(piece.with_crpix(), GRID), pixel_scales(whole, GRID))
