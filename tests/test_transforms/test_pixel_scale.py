"""The scale check: against the paper's own snippet, astropy, and the real headers."""

import math

import numpy as np
import pytest
from astropy.io import fits
from realdata import REAL, needs_real
from wcscards import LINEAR, astropy_scales, astropy_wcs, cards, lines_to_cards, paper_scales

from transforms.chip import CHIP_PX
from transforms.errors import TransformError
from transforms.focal_plane import channel_centres, ideal_scales
from transforms.pixel_scale import (
    Grid,
    chip_grid,
    paper_grid,
    pixel_scales,
)
from transforms.scale_check import breaks_infobit_16, judge_scale
from transforms.scale_difference import ScaleDifferences, scale_differences
from transforms.scale_prior import archive_prior, choose_prior, is_prior_material
from transforms.wcs_cards import read_cards

GRID = chip_grid()
ROUNDING = 1e-8  # astropy's: a pixel's corners differ in the ninth digit of an angle
OWN = {"PV1_1": 1.0, "PV2_1": 1.0}
DISTORTED = {**LINEAR, **OWN, "PV1_7": 5e-3, "PV2_4": 1e-3, "PV2_16": -4e-3}
HEADERS = sorted((REAL / "headers").glob("*.hdr")) if REAL.is_dir() else []


@pytest.fixture(scope="module")
def real():
    """The 17 real headers: cards, keywords, and the maps of whole quadrants."""
    texts = [lines_to_cards(path.read_text("latin-1")) for path in HEADERS]
    wcs = [astropy_wcs(text) for text in texts]
    for one in wcs:
        one.wcs.crpix = [1536.5, 1540.5]  # most headers are of pieces
    maps = read_cards(texts).with_crpix()
    assert not any(maps.problems)
    return texts, wcs, maps


def keyword(texts, name):
    cards_of = ([text[i : i + 80] for i in range(0, len(text), 80)] for text in texts)
    return np.array(
        [next(float(c[10:30]) for c in one if c[:8].rstrip() == name) for one in cards_of]
    )


def test_the_grid_stays_inside_the_chip_and_the_papers_does_not():
    assert (GRID.x.size, paper_grid().x.size) == (575, 575)
    for points, least in ((GRID, 0.0), (paper_grid(), 1.0)):
        beyond = [one.max() + 0.5 - (side + 0.5) for one, side in zip(points, CHIP_PX, strict=True)]
        assert min(points.x.min(), points.y.min()) - 0.5 >= 0.5
        assert beyond == pytest.approx([least, least], abs=0.5 * least)
    assert (GRID.x.max(), GRID.y.max()) == CHIP_PX


@needs_real
def test_real_pixels_are_those_of_astropy(real):
    _, wcs, maps = real
    assert len(wcs) >= 17
    ours = pixel_scales(maps, GRID)
    for scales, one in zip(ours, wcs, strict=True):
        np.testing.assert_allclose(scales, astropy_scales(one, *GRID), rtol=ROUNDING)


@needs_real
@pytest.mark.parametrize(
    # Verbatim, the paper's product of diagonals is 1e-4 percent too large where refraction makes
    # pixels oblong; times the sine of their angle it is the same area.
    ("sheared", "percent"),
    [(False, 2e-4), (True, 1e-7)],
    ids=["verbatim", "same area"],
)
def test_real_differences_are_the_papers_on_its_own_grid(real, sheared, percent):
    _, wcs, maps = real
    # Each header against another one as its prior.
    prior = pixel_scales(maps, paper_grid())
    of_prior = (np.arange(len(maps)) + 1) % len(maps)
    ours = scale_differences(maps, paper_grid(), prior, of_prior)
    areas = np.array([paper_scales(one, sheared=sheared) for one in wcs])
    theirs = 100 * (areas - areas[of_prior]) / areas[of_prior]
    for found, expected in (
        (ours.pct_min, theirs.min(axis=1)),
        (ours.pct_max, theirs.max(axis=1)),
        (ours.pct_rms, np.sqrt((theirs**2).mean(axis=1))),
        (ours.pct_worst, theirs[np.arange(len(maps)), np.abs(theirs).argmax(axis=1)]),
    ):
        assert np.abs(found - expected).max() < percent


def test_oblong_and_skewed_pixels_have_their_area_which_half_the_product_of_diagonals_is_not():
    oblong = {"CD1_1": 1.1 * LINEAR["CD2_2"], "CD1_2": 4e-6}
    text = cards("TPV", {**DISTORTED, **oblong})
    ours = pixel_scales(read_cards([text]), paper_grid())[0]
    wcs = astropy_wcs(text)
    np.testing.assert_allclose(ours, paper_scales(wcs, sheared=True), rtol=ROUNDING)
    # The diagonals of a rectangle of sides 1.1 and 1 meet at an angle of sine 2.2 / 2.21.
    too_large = paper_scales(wcs, sheared=False) / ours
    assert too_large.mean() == pytest.approx(math.sqrt(2.21 / 2.2), abs=1e-4)


def test_differences_are_those_of_the_scales_and_tell_where():
    texts = [cards("TPV", {**DISTORTED, "PV1_7": v, "PV2_8": -v / 3}) for v in (5e-3, -9e-3, 1e-4)]
    maps = read_cards([*texts, None])
    prior = pixel_scales(read_cards([cards("TAN", LINEAR), cards("TPV", DISTORTED)]), GRID)
    of_prior = np.array([0, 1, -1, 0])
    found = scale_differences(maps, GRID, prior, of_prior)
    scales = pixel_scales(maps, GRID)
    percent = 100 * (scales / np.where(of_prior[:, None] < 0, np.nan, prior[of_prior]) - 1)
    worst = np.abs(percent[:2]).argmax(axis=1)
    for name, expected in {
        "pct_min": percent.min(axis=1),
        "pct_max": percent.max(axis=1),
        "pct_rms": np.sqrt((percent**2).mean(axis=1)),
        "worst_x": np.append(GRID.x[worst], [np.nan] * 2),
        "worst_y": np.append(GRID.y[worst], [np.nan] * 2),
        "pct_worst": np.append(percent[[0, 1], worst], [np.nan] * 2),
        "scale_arcsec": scales.mean(axis=1),
    }.items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-9, err_msg=name)
    assert np.isfinite(found.scale_arcsec).tolist() == [True, True, True, False]


def with_corner_error(text, percent, x, y):
    """Cards whose scale departs by so much at one corner, and by much less elsewhere.

    A distortion along the first axis, k w³ (1 + w / reach) with w from one corner to the other,
    is of degree 4: its slope is 7 k reach² at the corner, and −k reach² at the one opposite.
    """
    header = fits.Header.fromstring(text)
    cd = np.array([[header.get(f"CD{i}_{j}", 0.0) for j in (1, 2)] for i in (1, 2)])
    across = cd @ [x - 1536.5, y - 1540.5]
    s, t = np.sign(across)
    reach = np.abs(across).sum()
    k = 2 * percent / 100 / 7 / reach**2
    for first, power, factor in ((7, 3, k), (12, 4, k / reach)):
        for other in range(power + 1):
            name = f"PV1_{first + other}"
            term = factor * math.comb(power, other) * s ** (power - other + 1) * t**other
            header[name] = header.get(name, 0.0) + term
    return header.tostring(endcard=False, padding=False)


CORNERS = [(1, 1), (3072, 1), (1, 3080), (3072, 3080)]


@pytest.mark.parametrize("corner", CORNERS)
def test_a_planted_corner_error_is_caught_where_it_is(corner):
    text = cards("TPV", DISTORTED)
    prior = pixel_scales(read_cards([text]), GRID)
    maps = read_cards([with_corner_error(text, percent, *corner) for percent in (1.5, 0.6, -1.5)])
    found = scale_differences(maps, GRID, prior, np.zeros(3, np.int64))
    assert found.pct_worst == pytest.approx([1.5, 0.6, -1.5], abs=0.03)
    assert (found.worst_x == corner[0]).all()
    assert (found.worst_y == corner[1]).all()
    assert (found.pct_rms < 0.4).all()  # nothing that a mean would show
    is_bad, reasons = judge_scale(found)
    assert is_bad.tolist() == [True, False, True]
    place = f"at x {corner[0]}, y {corner[1]}: more than 1 %"
    assert [reason is not None and place in reason for reason in reasons] == [True, False, True]
    assert judge_scale(found, limit_percent=0.5)[0].all()


@needs_real
def test_no_good_real_image_is_bad_against_the_ideal_prior_and_a_planted_error_is(real):
    texts, _, maps = real
    prior = ideal_scales(keyword(texts, "RCID"), GRID)
    found = scale_differences(maps, GRID, prior, np.arange(len(maps)))
    good = keyword(texts, "INFOBITS") < 2**25
    assert good.sum() >= 15
    assert not judge_scale(found)[0][good].any()
    assert not breaks_infobit_16(found)[good].any()
    assert max(np.abs(found.pct_min[good]).max(), found.pct_max[good].max()) < 0.2


def left_out(texts):
    """For each image of a channel that has two, the other one; −1 for the others."""
    rcid = keyword(texts, "RCID")
    other = np.full(rcid.size, -1)
    for one in np.unique(rcid):
        if (rcid == one).sum() == 2:
            other[rcid == one] = np.flatnonzero(rcid == one)[::-1]
    assert (other >= 0).sum() == 4
    return other


@needs_real
@pytest.mark.parametrize("prior", ["ideal", "the one left out"])
def test_each_real_check_is_a_straightforward_calculation_by_astropy(real, prior):
    texts, wcs, maps = real
    areas = np.array([astropy_scales(one, *GRID) for one in wcs])
    if prior == "ideal":
        priors, of_prior = ideal_scales(keyword(texts, "RCID"), GRID), np.arange(len(maps))
        theirs = priors
    else:
        priors, of_prior, theirs = pixel_scales(maps, GRID), left_out(texts), areas
    found = scale_differences(maps, GRID, priors, of_prior)
    for k in np.flatnonzero(of_prior >= 0):
        percent = 100 * (areas[k] - theirs[of_prior[k]]) / theirs[of_prior[k]]
        worst = np.abs(percent).argmax()
        expected = (percent.min(), percent.max(), np.sqrt((percent**2).mean()), percent[worst])
        ours = [getattr(found, name)[k] for name in ("pct_min", "pct_max", "pct_rms", "pct_worst")]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=3e-6)
        assert (found.worst_x[k], found.worst_y[k]) == (GRID.x[worst], GRID.y[worst])
        assert judge_scale(found)[0][k] == (np.abs(percent) > 1).any()
    assert np.isnan(found.pct_worst[of_prior < 0]).all()


@needs_real
@pytest.mark.parametrize("corner", CORNERS)
def test_a_corner_error_planted_in_the_real_headers_is_caught(real, corner):
    texts, _, maps = real
    wrong = read_cards([with_corner_error(text, 1.5, *corner) for text in texts]).with_crpix()
    priors = [ideal_scales(keyword(texts, "RCID"), GRID), pixel_scales(maps, GRID)]
    pairs = np.flatnonzero(left_out(texts) >= 0)
    others = scale_differences(wrong.take(pairs), GRID, priors[1], left_out(texts)[pairs])
    assert judge_scale(others)[0].all()
    for prior in priors:
        found = scale_differences(wrong, GRID, prior, np.arange(len(maps)))
        assert judge_scale(found)[0].all()
        assert (found.worst_x == corner[0]).all()
        assert (found.worst_y == corner[1]).all()


@needs_real
def test_channels_with_two_real_images_agree_with_the_one_left_out(real):
    texts, _, maps = real
    rcid, scales = keyword(texts, "RCID"), pixel_scales(maps, GRID)
    pairs = [np.flatnonzero(rcid == one) for one in np.unique(rcid) if (rcid == one).sum() == 2]
    assert len(pairs) == 2
    for pair in pairs:
        found = scale_differences(maps.take(pair), GRID, scales, pair[::-1])
        assert not judge_scale(found)[0].any()
        assert np.abs(found.pct_worst).max() < 0.15


def test_the_survey_s_own_rule_is_its_range():
    nothing = np.zeros(4)
    low, high = np.array([-0.21, -0.19, 0.0, np.nan]), np.array([0.0, 1.9, 2.1, np.nan])
    found = ScaleDifferences(low, high, *[nothing] * 5)
    assert breaks_infobit_16(found).tolist() == [True, False, True, False]


def test_an_image_that_folds_over_is_bad():
    folded = {**LINEAR, **OWN, "PV1_7": -1.0 / (3 * 0.3**2)}
    maps = read_cards([cards("TPV", folded)])
    scales = pixel_scales(maps, GRID)
    assert (scales[0] < 0).any()
    prior = pixel_scales(read_cards([cards("TAN", LINEAR)]), GRID)
    assert judge_scale(scale_differences(maps, GRID, prior, [0]))[0].all()


def test_images_without_wcs_or_prior_are_not_judged():
    maps = read_cards([None, cards("TAN", LINEAR)])
    found = scale_differences(maps, GRID, np.empty((0, 575)), [-1, -1])
    is_bad, reasons = judge_scale(found)
    assert not is_bad.any()
    assert reasons == [None, None]
    assert not breaks_infobit_16(found).any()
    assert np.isfinite(found.scale_arcsec).tolist() == [False, True]


def test_what_does_not_fit_is_refused():
    maps = read_cards([cards("TAN", LINEAR)])
    with pytest.raises(TransformError, match="575 points do not fit"):
        scale_differences(maps, GRID, np.ones((1, 3)), [0])
    with pytest.raises(TransformError, match="of 1"):
        scale_differences(maps, GRID, np.ones((1, 575)), [1])
    with pytest.raises(TransformError, match="grid"):
        pixel_scales(maps, Grid(np.ones(3), np.ones(4)))
    found = scale_differences(maps, GRID, np.ones((1, 575)), [0])
    with pytest.raises(TransformError, match="every image"):
        judge_scale(found, limit_percent=0.0)


def solutions(n, rng, **changed):
    """Maps of n images of one channel: the same distortion but for noise of 1e-5."""
    return [
        cards("TPV", {k: v * (1 + rng.normal(0, 1e-5)) if k.startswith("CD") else v
                      for k, v in {**DISTORTED, **changed}.items()})
        for _ in range(n)
    ]  # fmt: skip


def test_the_archives_prior_is_the_median_and_minds_no_outliers():
    rng = np.random.default_rng(4)
    good, wild = solutions(12, rng), solutions(5, rng, PV1_7=0.5)
    few = solutions(9, rng)
    maps = read_cards([*good, *wild, *few, None])
    channel = np.array([1] * 17 + [3] * 9 + [3])
    prior, n_used = archive_prior(maps, GRID, channel, 4)
    assert n_used.tolist() == [0, 17, 0, 9]
    assert np.isnan(prior[[0, 2, 3]]).all()
    truth = pixel_scales(read_cards([cards("TPV", DISTORTED)]), GRID)[0]
    np.testing.assert_allclose(prior[1], truth, rtol=3e-5)
    found = scale_differences(maps, GRID, prior, np.where(channel == 1, 1, -1))
    assert judge_scale(found)[0].tolist() == [False] * 12 + [True] * 5 + [False] * 10
    limited, n_limited = archive_prior(maps, GRID, channel, 4, fewest=3, most=9)
    assert n_limited.tolist() == [0, 9, 0, 9]
    assert np.isfinite(limited[[1, 3]]).all()


def test_prior_material_is_good_and_high():
    secz, is_good = [1.0, 1.5, 1.51, np.nan, 1.1], [True, True, True, True, False]
    assert is_prior_material(secz, is_good).tolist() == [True, True, False, False, False]


def test_the_first_known_prior_is_taken_and_told():
    ideal = np.full((4, 3), 1.0)
    archive = np.array([[2.0] * 3, [np.nan] * 3, [2.0, np.nan, 2.0], [2.0] * 3])
    given = np.array([[np.nan] * 3, [np.nan] * 3, [3.0, -3.0, 3.0], [3.0] * 3])
    prior, sources = choose_prior(given, archive, ideal)
    assert sources == ["archive", "ideal", "ideal", "given"]
    assert prior[:, 0].tolist() == [2.0, 1.0, 1.0, 3.0]
    prior, sources = choose_prior(None, None, np.array([[1.0], [np.nan]]))
    assert sources == ["ideal", ""]
    assert np.isnan(prior[1]).all()
    with pytest.raises(TransformError, match="archive"):
        choose_prior(None, np.ones((2, 3)), ideal)


@needs_real
def test_channels_lie_where_the_layout_table_has_them():
    table = np.loadtxt(REAL / "geometry" / "ztf_ccd_quad_layout.tbl", delimiter=",", skiprows=1)
    centres = channel_centres(np.arange(64))
    corners = np.array([table[table[:, 3] == rcid, :2].mean(axis=0) for rcid in range(64)])
    assert np.abs(centres - corners).max() < 0.002


def test_the_ideal_camera_is_equidistant():
    """Pixel areas against those of positions computed on the sphere, for every channel."""
    step, few = 1e-3, Grid(np.array([1.0, 1536.5, 3072.0]), np.array([1.0, 1540.5, 3080.0]))
    ours = ideal_scales(np.arange(64), few)
    scale_deg = 1.0126 / 3600
    for rcid in range(64):
        east, north = channel_centres(rcid)[0]

        def direction(x, y, east=east, north=north):
            e = np.radians(east - (x - 1536.5) * scale_deg)
            n = np.radians(north - (y - 1540.5) * scale_deg)
            angle = np.hypot(e, n)
            return np.stack([np.cos(angle), np.sinc(angle / np.pi) * e, np.sinc(angle / np.pi) * n])

        along_x = (direction(few.x + step, few.y) - direction(few.x - step, few.y)) / (2 * step)
        along_y = (direction(few.x, few.y + step) - direction(few.x, few.y - step)) / (2 * step)
        area = np.linalg.norm(np.cross(along_x, along_y, axis=0), axis=0)
        np.testing.assert_allclose(ours[rcid], np.degrees(np.sqrt(area)) * 3600, rtol=1e-7)
    with pytest.raises(TransformError, match="0 to 63"):
        ideal_scales([64], few)
