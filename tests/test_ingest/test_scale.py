"""The scale check of an ingest: who is judged by what, what the rows carry, and when it changes."""

import json
import shutil
from datetime import date

import numpy as np
import polars as pl
import pytest
from astropy.io import fits
from catalogues import scatter, write_psfcat, write_refpsfcat
from realdata import REAL, needs_real
from wcscards import LINEAR, astropy_scales, astropy_wcs

from ingest.errors import PriorError
from ingest.given_priors import read_priors
from ingest.pipeline import ingest
from ingest.references import add_references
from ingest.rematch import rematch
from ingest.scale import COLUMNS
from simulate.plan import SurveyPlan
from simulate.survey import simulate_survey
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify
from transforms.focal_plane import ideal_scales
from transforms.pixel_scale import chip_grid
from transforms.scale_prior import MOST_IMAGES

NIGHTS = (date(2024, 1, 10), date(2024, 1, 11), date(2024, 1, 12))
GRID = chip_grid()
IMAGE_BIT, EDGE = 32768, 65535
ONE_TEN_THOUSANDTH_PERCENT = 1e-4
WCS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **LINEAR}


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Three nights of two channels; one image's world coordinates are wrong in a corner."""
    plan = SurveyPlan(
        nights=NIGHTS, fields=(655,), channels=(27, 50), filters=(2,), exposures_per_night=10,
        sources_per_quadrant=60, references=False, truth_detections=False, wrong_wcs=1,
    )  # fmt: skip
    return simulate_survey(tmp_path_factory.mktemp("survey"), plan, workers=1)


@pytest.fixture(scope="module")
def filled(survey, tmp_path_factory):
    root = new_archive(tmp_path_factory.mktemp("a") / "archive")
    ingest(root, [survey.directory / "sci"], workers=1)
    return root


@pytest.fixture
def root(tmp_path):
    return new_archive(tmp_path / "archive")


def new_archive(path, **settings):
    create_archive(path, ArchiveSettings(name="test", **settings))
    return path


def table(root, name):
    return pl.read_parquet(open_snapshot(root).files(name))


def one_image(root, folder, **header):
    """The row of `images` that one catalogue with that header gives."""
    ra, dec = scatter(np.random.default_rng(2), 20)
    write_psfcat(folder, ra, dec, header=header)
    ingest(root, [folder])
    return table(root, "images").row(0, named=True)


def files_of(root, name):
    snapshot = open_snapshot(root)
    return sorted(
        entry.checksum
        for group in snapshot.groups
        for entry in snapshot.manifest(group).files
        if entry.table == name
    )


def test_one_wrong_image_of_a_survey_is_bad_with_its_reason_and_nothing_else_is(survey, filled):
    (wrong,) = survey.wrong_images
    images, rows = table(filled, "images"), table(filled, "detections")
    assert len(images) == survey.n_images == 60
    is_wrong = (pl.col("expid") == wrong[0]) & (pl.col("rcid") == wrong[1])
    (bad,) = images.filter("is_bad").rows(named=True)
    assert (bad["expid"], bad["rcid"]) == wrong
    place = f"at x {bad['scale_worst_x']:.0f}, y {bad['scale_worst_y']:.0f}: more than 1 %"
    assert bad["bad_reason"].startswith("pixel scale +1.")
    assert bad["bad_reason"].endswith(place)
    assert bad["pct_scale_diff_worst"] == pytest.approx(1.5, abs=0.25)
    assert {bad["scale_worst_x"]} <= {1, 3072}
    assert {bad["scale_worst_y"]} <= {1, 3080}
    assert images.filter(~is_wrong)["bad_reason"].null_count() == 59
    flagged = (pl.col("catflags") & IMAGE_BIT) > 0
    of_image = rows.filter(is_wrong)
    assert of_image.height == bad["n_published"] > 5
    assert of_image.filter(~flagged).is_empty()
    others = rows.filter(~is_wrong & flagged)
    assert others.filter(pl.col("catflags") != EDGE).is_empty()
    assert table(filled, "nights")["n_bad_images"].sum() == 1
    assert verify(filled) == []


def test_each_difference_is_what_astropy_gives_against_the_prior_that_is_recorded(filled):
    """Priors anew from the published images of nights before: medians of astropy's areas."""
    images = table(filled, "images")
    scales = {
        pid: astropy_scales(astropy_wcs(cards), *GRID)
        for pid, cards in images.select("pid", "wcs_cards").iter_rows()
    }
    sources = set()
    for image in images.iter_rows(named=True):
        before = images.filter(
            (pl.col("night") < image["night"])
            & (pl.col("rcid") == image["rcid"])
            & (pl.col("secz") <= 1.5)
            & ~pl.col("is_bad")
        )["pid"]
        assert len(before) <= MOST_IMAGES
        prior = ideal_scales([image["rcid"]], GRID)[0]
        if len(before) >= 10:
            prior = np.median([scales[pid] for pid in before], axis=0)
        percent = 100 * (scales[image["pid"]] / prior - 1)
        worst = np.abs(percent).argmax()
        assert image["scale_prior"] == ("archive" if len(before) >= 10 else "ideal")
        for name, expected in {
            "pct_scale_diff_min": percent.min(),
            "pct_scale_diff_max": percent.max(),
            "pct_scale_diff_rms": np.sqrt((percent**2).mean()),
            "pct_scale_diff_worst": percent[worst],
        }.items():
            assert image[name] == pytest.approx(expected, abs=ONE_TEN_THOUSANDTH_PERCENT), name
        mean = scales[image["pid"]].mean()
        assert image["pixel_scale_arcsec"] == pytest.approx(mean, rel=1e-8)
        assert image["scale_infobit16"] == (percent.min() < -0.2 or percent.max() > 2.0)
        sources.add(image["scale_prior"])
    assert sources == {"archive", "ideal"}
    # The first night has none before it: it is not judged by itself.
    assert set(images.filter(night=NIGHTS[0])["scale_prior"]) == {"ideal"}


def test_nights_one_by_one_in_their_order_and_late_files_give_the_bytes_of_all_at_once(
    survey, filled, root
):
    for night in NIGHTS:
        files = sorted((survey.directory / "sci").rglob(f"ztf_{night:%Y%m%d}*_psfcat.fits"))
        ingest(root, files[5:], workers=1)
        ingest(root, files[:5], workers=1)
    assert files_of(root, "images") == files_of(filled, "images")
    assert files_of(root, "detections") == files_of(filled, "detections")


def test_a_damaged_night_is_no_prior_and_stops_none_of_the_later(survey, root):
    of_night = [
        sorted((survey.directory / "sci").rglob(f"ztf_{night:%Y%m%d}*_psfcat.fits"))
        for night in NIGHTS
    ]
    ingest(root, of_night[0], workers=1)
    (damaged,) = open_snapshot(root).files("images")
    damaged.resolve().chmod(0o644)
    damaged.resolve().write_bytes(b"no longer what it was")
    assert ingest(root, of_night[1], workers=1).groups[0].outcome == "published"
    entry = max(open_snapshot(root).files("images"))
    assert set(pl.read_parquet(entry)["scale_prior"]) == {"ideal"}


def test_published_images_stay_when_the_archives_priors_move_but_for_a_rebuild(survey, root):
    of_night = [
        sorted((survey.directory / "sci").rglob(f"ztf_{night:%Y%m%d}*_psfcat.fits"))
        for night in NIGHTS
    ]
    ingest(root, of_night[2], workers=1)
    assert set(table(root, "images")["scale_prior"]) == {"ideal"}
    ingest(root, of_night[0] + of_night[1], workers=1)
    report = ingest(root, of_night[2], workers=1)
    assert [group.outcome for group in report.groups] == ["unchanged"]
    later = pl.col("night") == NIGHTS[2]
    before = table(root, "images").filter(later)
    assert set(before["scale_prior"]) == {"ideal"}
    # References make ids anew, by an ingest as by a rematch: the judgement stays.
    ra, dec = scatter(np.random.default_rng(1), 5)
    references = root.parent / "ref"
    for ccdid, qid in ((7, 4), (13, 3)):
        write_refpsfcat(references, ra, dec, field=655, fid=2, ccdid=ccdid, qid=qid)
    add_references(root, [references])
    copy = root.parent / "copy"
    shutil.copytree(root, copy, symlinks=True)
    assert rematch(root, [NIGHTS[2]]).groups[0].images == 20
    assert ingest(copy, of_night[2], workers=1).groups[0].images == 20
    for one in (root, copy):
        images = table(one, "images").filter(later)
        assert images.select(COLUMNS).equals(before.select(COLUMNS))
        assert images["rfid"].null_count() == 0
    assert files_of(root, "images") == files_of(copy, "images")
    ingest(root, of_night[2], workers=1, rebuild=True)
    assert set(table(root, "images").filter(later)["scale_prior"]) == {"archive"}


def test_a_given_prior_counts_first_and_anew_and_stays_when_it_is_not_given(survey, root, tmp_path):
    files = sorted((survey.directory / "sci").rglob(f"ztf_{NIGHTS[0]:%Y%m%d}*_psfcat.fits"))
    ingest(root, files, workers=1)
    priors = tmp_path / "priors"
    priors.mkdir()
    for number, path in enumerate(file for file in files if "_c07_o_q4_" in file.name):
        cards = fits.getheader(path).tostring(endcard=False, padding=False)
        lines = [cards[i : i + 80] for i in range(0, len(cards), 80)]
        if number == 0:  # by its name, of all filters
            kept = [
                line for line in lines if line[:4] in {"CTYP", "CRPI", "CRVA"} or "_" in line[:5]
            ]
            (priors / "c07_q4.head").write_text("\n".join([*kept, "END"]))
    (priors / "README").write_text("not a header")
    report = ingest(root, files, workers=1, prior=priors)
    assert (report.groups[0].images, report.groups[0].unchanged) == (10, 10)
    images = table(root, "images")
    by_channel = images.group_by("rcid").agg(pl.col("scale_prior").unique()).sort("rcid")
    assert by_channel["scale_prior"].to_list() == [["given"], ["ideal"]]
    itself = images.filter(rcid=27).sort("pct_scale_diff_rms").row(0, named=True)
    assert itself["pct_scale_diff_rms"] == pytest.approx(0, abs=1e-6)
    for prior in (priors, None):
        again = ingest(root, files, workers=1, prior=prior)
        assert again.groups[0].outcome == "unchanged"
    assert table(root, "images").equals(images)
    # Another limit, or another given prior, would judge anew.
    (priors / "zr_c07_q4.head").write_text("\n".join([*kept[:-1], "PV2_16  = 1.0E-3"]))
    assert ingest(root, files, workers=1, prior=priors).groups[0].images == 10


@needs_real
def test_the_real_headers_are_priors_and_the_real_catalogue_passes_against_its_own(root):
    """Most of the headers are of pieces of a quadrant: their CRPIX is moved to where it was."""
    priors = read_priors(REAL / "headers")
    headers = [fits.Header.fromtextfile(path) for path in sorted((REAL / "headers").glob("*.hdr"))]
    of_channel = {}
    for header in headers:
        header["CRPIX1"], header["CRPIX2"] = 1536.5, 1540.5
        key = (header["RCID"], header["FILTERID"])
        cards = header.tostring(endcard=False, padding=False)
        of_channel.setdefault(key, []).append(astropy_scales(astropy_wcs(cards), *GRID))
    assert set(priors) == set(of_channel)
    for key, some in of_channel.items():
        np.testing.assert_allclose(priors[key], np.median(some, axis=0), rtol=1e-8)
    catalogues = sorted((REAL / "psfcat").glob("ztf_20200924*_psfcat.fits"))
    ingest(root, catalogues, prior=REAL / "headers", workers=1)
    (image,) = table(root, "images").rows(named=True)
    assert image["scale_prior"] == "given"
    assert not image["is_bad"]
    assert abs(image["pct_scale_diff_worst"]) < 1e-3  # the header is this image's own
    assert image["pixel_scale_arcsec"] == pytest.approx(1.0126, abs=1e-3)


def test_priors_that_cannot_serve_are_named_before_anything_is_done(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(2), 20)
    write_psfcat(tmp_path / "raw", ra, dec)
    priors = tmp_path / "priors"
    priors.mkdir()

    def refused(match, name=None, text=""):
        if name:
            (priors / name).write_text(text)
        with pytest.raises(PriorError, match=match):
            ingest(root, [tmp_path / "raw"], prior=priors)
        if name:
            (priors / name).unlink()

    refused("holds no header")
    tan = "CTYPE1  = 'RA---TAN'\nCTYPE2  = 'DEC--TAN'\nCRPIX1  = 1536.5\nCRPIX2  = 1540.5\n"
    cd = "CD1_1   = -2.8E-4\nCD2_2   = -2.8E-4\n"
    refused("has no world coordinates", "zr_c07_q4.head", "SIMPLE  = T\n")
    refused("cannot be used: no linear matrix", "zr_c07_q4.head", tan)
    refused("neither keywords nor name", "good.head", tan + cd)
    folds = tan.replace("TAN", "TPV") + cd + "PV1_1   = 1.0\nPV2_1   = 1.0\nPV1_7   = -4.0\n"
    refused("fold over", "zr_c07_q4.head", folds)
    with pytest.raises(PriorError, match="cannot be read"):
        ingest(root, [tmp_path / "raw"], prior=priors / "absent")
    assert open_snapshot(root).groups == {}


def test_both_reasons_of_a_bad_image_are_told(root, tmp_path):
    image = one_image(root, tmp_path / "raw", INFOBITS=1 << 26, **WCS | {"CD1_1": -2.9e-4})
    status, scale = image["bad_reason"].split("; ")
    assert image["is_bad"]
    assert status.startswith("infobits 67108864")
    assert scale.startswith("pixel scale +")


@pytest.mark.parametrize(
    ("header", "scale"),
    [
        (WCS | {"CTYPE1": None}, None),
        (WCS | {"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN"}, None),
        (WCS, 1.01256),
    ],
    ids=["no WCS", "one that is not read", "TAN"],
)
def test_an_image_without_a_readable_wcs_is_not_judged(root, tmp_path, header, scale):
    image = one_image(root, tmp_path / "raw", **header)
    assert not image["is_bad"]
    assert (image["scale_prior"] is None) == (scale is None)
    assert image["pixel_scale_arcsec"] == (scale and pytest.approx(scale, abs=1e-4))
    if scale is None:
        judged = [name for name in COLUMNS if name != "scale_recipe"]
        assert all(image[name] is None for name in judged)


def test_a_wcs_that_means_nothing_makes_its_image_bad(root, tmp_path):
    tpv = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.0, "PV2_1": 1.0, "PV1_7": 1e300}
    image = one_image(root, tmp_path / "raw", **WCS | tpv | {"PV2_7": -1e300})
    assert image["is_bad"]
    assert "pixel scale" in image["bad_reason"]


def test_the_wcs_may_stand_beside_the_catalogue(root, tmp_path):
    """A header of SCAMP's before the science image's; both after the catalogue's own."""
    ra, dec = scatter(np.random.default_rng(2), 20)
    path = write_psfcat(tmp_path / "raw", ra, dec)
    lines = [fits.Card(key, value).image for key, value in WCS.items()]
    wider = [fits.Card(k, v * (1.001 if k[:2] == "CD" else 1)).image for k, v in WCS.items()]
    stem = path.name.removesuffix("_psfcat.fits")
    scales = []
    for name, text in ((f"{stem}_sciimg.hdr", lines), (f"{stem}_psfcat.head", wider)):
        comment = "COMMENT   Astrometric solution by Emmanuel Bertin, ©\n".encode("latin-1")
        (path.parent / name).write_bytes(comment + "\n".join([*text, "END"]).encode() + b"\n")
        ingest(root, [path])
        image = table(root, "images").row(0, named=True)
        scales.append((image["pixel_scale_arcsec"], image["metadata_from"]))
    assert scales[1][0] / scales[0][0] == pytest.approx(1.001, abs=1e-6)
    assert scales[0][1] == "header,sciimg,filename"
    assert scales[1][1] == "header,head,filename"


def test_the_limit_is_the_archives_own(tmp_path):
    folder = tmp_path / "raw"
    strict = new_archive(tmp_path / "strict", scale_limit_percent=0.001)
    image = one_image(strict, folder, **WCS)
    assert image["is_bad"]
    assert image["bad_reason"].endswith("more than 0.001 %")
    assert image["scale_recipe"].endswith(" limit=0.001")
    assert json.loads((strict / "archive.json").read_text())["scale_limit_percent"] == 0.001
    with pytest.raises(ValueError, match="scale limit"):
        ArchiveSettings(scale_limit_percent=0.0)
