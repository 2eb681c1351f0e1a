"""Which images cover a place: astropy's inverse of the same cards, near the edges of the chip."""

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import REAL, needs_real
from wcscards import LINEAR, NO_CD, astropy_wcs, cards, lines_to_cards

from transforms.chip import CHIP_PX
from transforms.coverage import Footprints
from transforms.errors import TransformError
from transforms.wcs_cards import read_cards

OWN = {"PV1_1": 1.0, "PV2_1": 1.0}
FORMS = {
    "TAN": ("TAN", LINEAR),
    "sheared": ("TAN", {**LINEAR, "CD1_2": 1.4e-4}),
    "CDELT and CROTA2": ("TAN", {**NO_CD, "CDELT1": -2.8e-4, "CDELT2": 2.9e-4, "CROTA2": 31.0}),
    "LONPOLE": ("TAN", {**LINEAR, "LONPOLE": 150.0}),
    "LONPOLE by PV1_3": ("TAN", {**LINEAR, "PV1_3": 170.0}),
    "at RA 0": ("TAN", {**LINEAR, "CRVAL1": 0.02}),
    "over the pole": ("TAN", {**LINEAR, "CRVAL2": 89.9}),
    "at the pole": ("TAN", {**LINEAR, "CRVAL2": 90.0}),
    "at the other pole": ("TAN", {**LINEAR, "CRVAL2": -90.0}),
    "TPV of degree 4": (
        "TPV",
        {**LINEAR, **OWN, "PV1_2": 3e-3, "PV2_2": -2e-3, "PV1_5": 4e-3, "PV2_9": 5e-3},
    ),
    "TPV with a term of r": ("TPV", {**LINEAR, **OWN, "PV1_3": 2e-3, "PV2_11": 4e-3}),
    "SCAMP's TAN": ("TAN", {**LINEAR, **OWN, "PV1_4": 2e-3, "PV1_7": 5e-3, "PV2_4": 3e-3}),
    "tangent point off the chip": ("TPV", {**LINEAR, **OWN, "CRPIX1": 9000.0, "PV1_7": 2e-3}),
    "SIP": (
        "TAN-SIP",
        {**LINEAR, "A_ORDER": 4, "B_ORDER": 3, "A_2_0": 2e-6, "A_1_1": -1e-6, "B_0_2": 1e-6},
    ),
}  # fmt: skip
# Beyond what the two of them leave after their last round of inversion.
ROUNDING_PX = 1e-4


def about_the_edge(rng, n, within_px):
    """Pixels along the four edges of the chip, not farther from them than so many pixels."""
    along = rng.uniform(-20, 3120, n)
    off = rng.uniform(-within_px, within_px, n)
    side = rng.integers(0, 4, n)
    x = np.choose(side, [0.5 + off, CHIP_PX[0] + 0.5 + off, along, along])
    y = np.choose(side, [along, along, 0.5 + off, CHIP_PX[1] + 0.5 + off])
    return x, y


def judged(text, x, y):
    """Ours, astropy's, and which places are farther from the edge than rounding: at (x, y)."""
    wcs = astropy_wcs(text)
    ra, dec = wcs.all_pix2world(x, y, 1)
    back = wcs.all_world2pix(ra, dec, 1, tolerance=1e-7, maxiter=50)
    x, y = (np.abs(p - (side + 1) / 2) - side / 2 for p, side in zip(back, CHIP_PX, strict=True))
    beyond = np.maximum(x, y)
    (ours,) = Footprints(read_cards([text])).cover(ra, dec)
    return ours, beyond < 0, np.abs(beyond) > ROUNDING_PX


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("within_px", [0.01, 3.0, 300.0])
def test_places_near_the_edge_are_on_the_chip_where_astropy_has_them(form, within_px):
    x, y = about_the_edge(np.random.default_rng(7), 400, within_px)
    ours, theirs, clear = judged(cards(*FORMS[form]), x, y)
    assert clear.mean() > 0.9
    assert 100 < theirs.sum() < 300
    np.testing.assert_array_equal(ours[clear], theirs[clear])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_any_distortion_is_inverted_as_by_astropy(seed):
    rng = np.random.default_rng(seed)
    pv = {f"PV{i}_{m}": v for i in (1, 2) for m, v in enumerate(rng.normal(0, 4e-3, 40))}
    x, y = about_the_edge(rng, 200, 1.0)
    ours, theirs, clear = judged(cards("TPV", {**LINEAR, **pv, **OWN}), x, y)
    np.testing.assert_array_equal(ours[clear], theirs[clear])


@needs_real
def test_real_headers_cover_what_astropy_says():
    texts = []
    for path in sorted((REAL / "headers").glob("*.hdr")):
        text = lines_to_cards(path.read_text("latin-1"))
        # Most are of pieces: the reference pixel of a whole quadrant is its middle.
        for n, value in ((1, 1536.5), (2, 1540.5)):
            text = re.sub(rf"CRPIX{n}  =.{{71}}", f"CRPIX{n}  = {value}".ljust(80), text)
        texts.append(text)
    assert len(texts) == 17
    maps = read_cards(texts)
    assert not any(maps.problems)
    rng = np.random.default_rng(1)
    footprints = Footprints(maps)
    assert footprints.known.all()
    for k, text in enumerate(texts):
        for within_px in (0.05, 2.0):
            x, y = about_the_edge(rng, 500, within_px)
            wcs = astropy_wcs(text)
            ra, dec = wcs.all_pix2world(x, y, 1)
            ours, theirs, clear = judged(text, x, y)
            assert clear.mean() > 0.99
            np.testing.assert_array_equal(ours[clear], theirs[clear])
            np.testing.assert_array_equal(footprints.cover(ra, dec)[k], ours)
    # All at once, and on all the sky: the far side of a tangent plane is no part of a chip.
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    assert footprints.cover(ra, dec).sum(axis=1).max() <= 3
    np.testing.assert_array_equal(
        footprints.cover(180 + maps.plane[:, 0], -maps.plane[:, 1]), False
    )


def test_counts_are_sums_and_one_place_has_the_answer_of_many():
    rng = np.random.default_rng(3)
    texts = [
        cards("TPV", {**LINEAR, **OWN, "CRVAL1": 209.4 + rng.normal(0, 0.2), "PV1_7": 4e-3})
        for _ in range(30)
    ]
    footprints = Footprints(read_cards([*texts, None]))
    ra, dec = 209.4 + rng.uniform(-1, 1, 500), 40.5 + rng.uniform(-1, 1, 500)
    covered = footprints.cover(ra, dec)
    assert 0.1 < covered[:30].mean() < 0.5
    np.testing.assert_array_equal(footprints.count(ra, dec), covered.sum(axis=0))
    for k in range(0, 500, 7):
        np.testing.assert_array_equal(footprints.cover(ra[[k]], dec[[k]])[:, 0], covered[:, k])


def test_what_is_not_known_covers_nothing():
    lost = [
        None,
        cards("ZPN", LINEAR),
        cards("TAN", {k: v for k, v in LINEAR.items() if k != "CRVAL2"}),
        cards("TAN", {**LINEAR, "PV1_1": 10.0}),
        cards("TAN", {**LINEAR, "CRVAL2": 1e300}),
    ]
    footprints = Footprints(read_cards([*lost, cards(*FORMS["TAN"])]))
    assert footprints.known.tolist() == [False, False, False, False, False, True]
    covered = footprints.cover([209.4, np.nan], [40.5, 40.5])
    assert covered.tolist() == [*[[False, False]] * 5, [True, False]]
    assert footprints.cover([], []).shape == (6, 0)
    assert Footprints(read_cards([])).count([209.4], [40.5]).tolist() == [0]
    with pytest.raises(TransformError, match="one length"):
        footprints.cover([1.0, 2.0], [1.0])


def test_a_map_that_folds_over_raises_nothing():
    wild = cards("TPV", {**LINEAR, **OWN, "PV1_7": 900.0, "PV2_12": -4000.0})
    footprints = Footprints(read_cards([wild]))
    assert footprints.cover([209.4, 209.9], [40.5, 41.0]).tolist()[0][0]


def test_a_pair_takes_less_than_a_quarter_of_astropys_work():
    rng = np.random.default_rng(9)
    pv = {f"PV{i}_{m}": v for i in (1, 2) for m, v in enumerate(rng.normal(0, 2e-4, 17))}
    texts = [
        cards("TPV", {**LINEAR, **pv, **OWN, "CRVAL1": 209.4 + v}) for v in rng.normal(0, 1e-3, 40)
    ]
    footprints = Footprints(read_cards(texts * 10))
    # All of an image and of the sky just about it.
    ra, dec = 209.4 + rng.uniform(-0.6, 0.6, 4000), 40.5 + rng.uniform(-0.46, 0.46, 4000)
    wcs = astropy_wcs(texts[0])
    ratios = []
    # Side by side, as the machine's speed comes and goes; it is a tenth.
    for _ in range(5):
        begin = time.process_time()
        counts = footprints.count(ra, dec)
        taken = time.process_time() - begin
        wcs.wcs_world2pix(np.tile(ra, 10), np.tile(dec, 10), 0)
        ratios.append(taken / 40 / (time.process_time() - begin - taken))
    assert 0.6 < counts.mean() / 400 < 0.99
    assert min(ratios) < 0.25
