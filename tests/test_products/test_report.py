"""The report of a night: what it says, against counts of the files; what it is; how it looks."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from archives import FIRST_NIGHT, Channel, cluster, nightly, table_of
from browser import CHROMIUM, DRIVER, Browser, browser
from scipy.stats import chi2
from webpages import Page

from nightlake import Archive
from nightlake.cli import run
from products.canvas import new_figure, prepare
from products.errors import EmptyArchiveError, UnknownReportNightError, UnwritableOutputError
from products.report.figures import by_exposure
from products.report.photometry import expected_scatter
from products.report.section import percent
from products.report.svg import inline_svg
from simulate.plan import SurveyPlan
from simulate.survey import simulate_survey
from store.contract import EXPOSURES, IMAGES, NIGHTS, REFUSALS
from store.files import write_table
from store.layout import Layout
from store.manifest import REFUSALS as REFUSALS_GROUP
from store.manifest import Manifest, night_group
from store.publication import create_archive, publish
from store.settings import ArchiveSettings

NIGHTS_OF_SURVEY = (date(2024, 1, 10), date(2024, 1, 11))
SECTIONS = [
    "counts", "worst", "refusals", "map", "match", "depth", "seeing", "zero-points",
    "repeatability", "scale", "airmass",
]  # fmt: skip
OBSMJD = 60319.25
COMMAND = re.compile("<code>(nightlake [^<]+)</code>")


@pytest.fixture(scope="module", autouse=True)
def _no_traces(tmp_path_factory: pytest.TempPathFactory) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    prepare(scratch, scratch / "x.png")


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated nights, with a file that is refused."""
    folder = tmp_path_factory.mktemp("survey")
    plan = SurveyPlan(
        nights=NIGHTS_OF_SURVEY,
        fields=(655,),
        channels=(0, 27, 63),
        exposures_per_night=2,
        sources_per_quadrant=150,
        bad_fraction=0.3,
    )
    simulate_survey(folder / "raw", plan, workers=1)
    broken = folder / "raw/sci/ztf_20240111123456_000655_zr_c01_o_q1_psfcat.fits"
    broken.write_bytes(b"no FITS")
    with Archive.create(folder / "archive", name="survey") as archive:
        archive.add_references(folder / "raw/ref", workers=1)
        archive.ingest(folder / "raw/sci", workers=1)
    return folder / "archive"


@pytest.fixture(scope="module")
def page(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Archive(survey) as archive:
        return archive.report(out=tmp_path_factory.mktemp("page") / "report.html")


def published(
    root: Path,
    images: Sequence[dict[str, Any]] = (),
    refused: Sequence[dict[str, Any]] = (),
    night: date = FIRST_NIGHT,
    **settings: Any,
) -> Path:
    """An archive of images without rows, each said by what is special about it."""
    create_archive(root, ArchiveSettings(**settings))
    layout = Layout(root)
    changed = {}
    if images:
        rows = [
            {"pid": 100 + i, "expid": 1, "night": night, "filtercode": "zr", "fid": 2, "field": 600,
             "obsmjd": OBSMJD, "ccdid": 1, "qid": 1 + i, "rcid": i,
             "reference_state": "matched"} | image
            for i, image in enumerate(images)
        ]  # fmt: skip
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: [row.get(name) for row in rows] for name in names}
        bad = sum(bool(row.get("is_bad")) for row in rows)
        columns["is_bad"] = [bool(row.get("is_bad")) for row in rows]
        part = f"{night:%Y%m%d}"
        counts = {
            name: sum(row.get(name) or 0 for row in rows) for name in ("n_published", "n_matched")
        }
        record = table_of(
            NIGHTS, 1, night=night, first_obsmjd=OBSMJD, last_obsmjd=OBSMJD,
            n_exposures=1, n_images=len(rows), n_bad_images=bad, **counts,
        )  # fmt: skip
        exposure = table_of(EXPOSURES, 1, expid=1, night=night, filtercode="zr", n_images=len(rows))
        files = [
            write_table(layout, IMAGES, table_of(IMAGES, len(rows), **columns), part),
            write_table(layout, EXPOSURES, exposure, part),
            write_table(layout, NIGHTS, record, part),
        ]
        changed[night_group(night)] = Manifest.of(night_group(night), files)
    if refused:
        columns = {
            name: [row.get(name, default) for row in refused]
            for name, default in (
                ("night", night), ("input_file", "a.fits"), ("code", "truncated"),
                ("what", "ends after 100 bytes"), ("hint", "Fetch the file again."),
                ("n_rows", None), ("first_row", None),
            )
        }  # fmt: skip
        entry = write_table(
            layout, REFUSALS, table_of(REFUSALS, len(refused), **columns), "refusals"
        )
        changed[REFUSALS_GROUP] = Manifest.of(REFUSALS_GROUP, [entry])
    publish(root, changed, "test")
    return root


def report(root: Path, out: Path, night: date | None = None) -> Page:
    """The page of a night, found sound."""
    with Archive(root) as archive:
        made = Page(archive.report(night, out))
    assert made.faults == []
    assert list(made.sections) == SECTIONS
    return made


# --- what it says -------------------------------------------------------------------------------


def test_counts_are_those_of_the_files(survey: Path, page: Path) -> None:
    night = NIGHTS_OF_SURVEY[-1]
    images = pl.read_parquet(survey / "current/images/*.parquet").filter(night=night)
    files = survey / "current/detections/dataset/Norder=*/Dir=*/Npix=*/*.parquet"
    rows = pl.read_parquet(files, hive_partitioning=False).filter(night=night)
    said = Page(page)
    bad, matched = int(images["is_bad"].sum()), rows["oid"].count()
    assert bad > 0
    assert f"exposures {images['expid'].n_unique()} images {images.height}" in said.text
    assert f"judged bad {bad} detections {rows.height:,}" in said.text
    assert f"matched {100 * matched / rows.height:.1f} % refused 1" in said.text
    for code in ("zg", "zr"):
        some = images.filter(filtercode=code)
        good = some.filter(~pl.col("is_bad"))
        line = [
            code, f"{some['expid'].n_unique()}", f"{some.height}", f"{some['is_bad'].sum()}",
            f"{some['n_published'].sum():,}",
            f"{100 * some['n_matched'].sum() / some['n_published'].sum():.1f} %",
            *(
                f"{np.median(good[name].to_numpy()) * scale:.{digits}f}"
                for name, scale, digits in (
                    ("airmass", 1, 2), ("seeing", 1.0126, 1), ("limitmag", 1, 2), ("magzp", 1, 2)
                )
            ),
        ]  # fmt: skip
        assert " ".join(line) in said.sections["counts"]


def test_verdict_names_what_to_look_at_and_what_was_refused(survey: Path, page: Path) -> None:
    said = Page(page)
    images = pl.read_parquet(survey / "current/images/*.parquet")
    depth = {
        code: float(np.median(some.filter(~pl.col("is_bad"))["limitmag"].to_numpy()))
        for (code,), some in images.group_by("filtercode")
    }
    shallow = pl.col("limitmag") < pl.col("filtercode").replace_strict(depth) - 1.5
    channel = pl.col("magzp").filter(~pl.col("is_bad")).median().over("field", "fid", "rcid")
    odd = images.with_columns(clouded=pl.col("magzp") < channel - 0.5).filter(
        pl.col("is_bad") | shallow | pl.col("clouded"), night=NIGHTS_OF_SURVEY[-1]
    )
    assert f"Look at {odd.height} images; 1 input was refused." in said.text
    assert "ztf_20240111123456_000655_zr_c01_o_q1_psfcat.fits" in said.sections["refusals"]
    for expid in odd["expid"].unique():
        assert f"{expid}" in said.sections["worst"]
    assert f"images_to_look_at -p night={NIGHTS_OF_SURVEY[-1]}" in said.sections["worst"]


def test_command_that_shows_the_images_shows_them(
    survey: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = re.findall(
        r"nightlake (query \S+ images_(?:to|by)_\w+(?: -p \w+=[\w-]+)+)", Page(page).text
    )
    assert len(commands) == 2
    number = int(re.search(r"Look at (\d+) images", Page(page).text)[1])  # type: ignore[index]
    for command in commands:
        assert run([*command.split(), "--format", "csv"]) == 0
        shown = capsys.readouterr().out.splitlines()
        # The ranking goes on to 20 images.
        assert len(shown) - 1 == number if "look_at" in command else len(shown) - 1 >= number


def test_commands_of_an_earlier_publication_ask_that_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = published(tmp_path / "A", images=[{}], refused=[{"input_file": "mended.fits"}])
    with Archive(root) as archive:
        number = archive.snapshot.number
        publish(root, {REFUSALS_GROUP: Manifest.of(REFUSALS_GROUP, [])}, "mended")
        now = COMMAND.findall(archive.report(out=tmp_path / "now.html").read_text())
    with Archive(root, as_of=number) as archive:
        then = COMMAND.findall(archive.report(out=tmp_path / "then.html").read_text())
    assert then == [f"{line} --as-of {number}" for line in now]
    (refusals,) = (line for line in then if line.split()[1] == "refusals")
    assert run(refusals.split()[1:]) == 0
    assert "mended.fits" in capsys.readouterr().out


def test_every_section_says_what_is_good_and_what_to_do_if_not(page: Path) -> None:
    said = Page(page)
    assert list(said.sections) == SECTIONS
    for words in said.sections.values():
        assert "Good:" in words
        assert "If not" in words
        assert "nightlake query" in words


def test_figures_are_those_that_can_be_drawn(page: Path) -> None:
    said = Page(page)
    assert said.tags.count("svg") == said.tags.count("figure") == 10
    assert "UTC [h]" in said.sections["depth"]
    assert "Airmass, recomputed" in said.sections["scale"]


def test_nights_before_are_what_a_night_is_held_against(survey: Path, tmp_path: Path) -> None:
    first = report(survey, tmp_path / "1.html", NIGHTS_OF_SURVEY[0])
    second = report(survey, tmp_path / "2.html", NIGHTS_OF_SURVEY[1])
    assert "nights before" not in first.sections["depth"].replace("median of the nights before", "")
    images = pl.read_parquet(survey / "current/images/*.parquet").filter(~pl.col("is_bad"))
    medians = {
        night: float(np.median(images.filter(night=night, filtercode="zr")["limitmag"].to_numpy()))
        for night in NIGHTS_OF_SURVEY
    }
    change = medians[NIGHTS_OF_SURVEY[1]] - medians[NIGHTS_OF_SURVEY[0]]
    shown = f"zr {medians[NIGHTS_OF_SURVEY[1]]:.2f} mag ({change:+.2f})".replace("-", "−")
    assert shown in second.sections["depth"]


def test_exposures_are_summed_up_as_numpy_does() -> None:
    rng = np.random.default_rng(1)
    seeing = rng.normal(2, 0.3, 30)
    images = pl.DataFrame(
        {
            "expid": np.repeat([1, 2, 3], 10),
            "filtercode": ["zr"] * 30,
            "obsmjd": np.repeat([60319.5, 60319.25, 60319.75], 10),
            "is_bad": [True] * 10 + [False] + [True] * 9 + [False] * 10,
            "seeing": np.where(np.arange(30) < 20, seeing, np.nan),
        }
    )
    found = by_exposure(images, "seeing", date(2024, 1, 10))
    assert found["expid"].to_list() == [2, 1]
    assert found["hour"].to_list() == pytest.approx([6.0, 12.0])
    assert found["is_bad"].to_list() == [False, True]
    for row, of_image in zip(
        found.iter_rows(named=True), (seeing[10:20], seeing[:10]), strict=True
    ):
        expected = np.quantile(of_image, (0.1, 0.5, 0.9))
        assert [row["low"], row["middle"], row["high"]] == pytest.approx(list(expected))


@pytest.mark.parametrize("epochs", [2, 3, 5, 20])
def test_expected_scatter_is_the_median_of_standard_deviations(epochs: int) -> None:
    bins = pl.DataFrame({"n_epochs": [epochs * 7], "n_objects": [7], "median_magerr": [0.02]})
    k = epochs - 1
    assert expected_scatter(bins)[0] == pytest.approx(0.02 * np.sqrt(chi2.median(k) / k), rel=0.02)


def test_percentages_are_never_rounded_up_to_all() -> None:
    assert percent(0.99999) == "99.9 %"
    assert percent(1.0) == "100.0 %"
    assert percent(None) == "–"


# --- nights that lack something -------------------------------------------------------------------

WHOLE = {"n_published": 10, "n_matched": 9, "ra": 10.0, "dec": 20.0, "limitmag": 20.5,
         "seeing": 2.0, "magzp": 26.2, "airmass": 1.2, "secz": 1.21}  # fmt: skip


@pytest.mark.parametrize(
    ("images", "refused", "verdict"),
    [
        pytest.param([WHOLE], [], "A good night.", id="one image"),
        pytest.param([{"n_published": 10, "n_matched": 9}], [], "A good night.", id="no metadata"),
        pytest.param([WHOLE | {"n_matched": 0}], [], "Look at 1 image.", id="no match"),
        pytest.param(
            [WHOLE | {"n_published": 0, "n_matched": 0}], [], "Look at 1 image.", id="no rows"
        ),
        pytest.param(
            [WHOLE | {"is_bad": True, "bad_reason": "bit 26"}] * 3, [], "Look at all 3 images.",
            id="all bad",
        ),
        pytest.param(
            [WHOLE] * 3 + [WHOLE | {"is_bad": True}], [{}, {"input_file": "b.fits"}],
            "Look at 1 image; 2 inputs were refused.", id="some bad, some refused",
        ),
        pytest.param(
            [WHOLE], [{}], "The images are good, but 1 input was refused.", id="one refused"
        ),
        pytest.param([], [{}], "Nothing was published; 1 input was refused.", id="all refused"),
        pytest.param(
            [WHOLE | {"reference_state": "no_reference", "n_matched": 0}] * 2, [],
            "A good night.", id="no references",
        ),
        pytest.param(
            [WHOLE | {"limitmag": float("nan"), "seeing": float("nan"), "magzp": float("nan")}], [],
            "A good night.", id="not a number",
        ),
    ],
)  # fmt: skip
def test_page_is_made_of_whatever_night_there_is(
    tmp_path: Path, images: list[dict[str, Any]], refused: list[dict[str, Any]], verdict: str
) -> None:
    made = report(published(tmp_path / "A", images, refused), tmp_path / "r.html")
    assert f"· archive nightlake {verdict}" in made.text
    for word in ("None", "nan", "inf "):
        assert f" {word}" not in made.text


def test_images_without_reference_and_without_place_are_told(tmp_path: Path) -> None:
    images = [
        WHOLE | {"reference_state": "no_reference", "n_matched": 0},
        WHOLE | {"ra": None, "dec": None},
    ]
    made = report(published(tmp_path / "A", images), tmp_path / "r.html")
    assert "1 image has no reference catalogue" in made.sections["match"]
    assert "1 image has no place" in made.sections["map"]


def test_rows_that_a_page_leaves_out_are_counted(tmp_path: Path) -> None:
    refused = [{"input_file": f"{n:03d}.fits"} for n in range(203)]
    made = report(published(tmp_path / "A", [WHOLE], refused), tmp_path / "r.html")
    assert "192 more; the query lists 3 more" in made.sections["refusals"]
    assert "199.fits" in made.sections["refusals"]
    assert "200.fits" not in made.sections["refusals"]
    assert "203 inputs were refused" in made.text


def test_night_of_detections_without_wcs_is_reported(tmp_path: Path) -> None:
    root = tmp_path / "A"
    nightly(root, *cluster(10, 45), channels=[Channel(), Channel(fid=1)])
    made = report(root, tmp_path / "r.html")
    assert "No image has a world coordinate system" in made.sections["scale"]
    assert "No image has both airmasses" in made.sections["airmass"]


# --- what it is ---------------------------------------------------------------------------------


def test_page_holds_all_it_shows_and_nothing_runs(page: Path) -> None:
    made = Page(page)
    assert made.faults == []
    assert not {"script", "iframe", "object", "embed", "img", "video", "form"} & set(made.tags)
    assert made.handlers == []
    assert {reference[:1] for reference in made.references} <= {"#", "d"}
    for reference in made.references:
        assert reference.startswith(("#", "data:image/png;base64,", "data:,"))
        if reference.startswith("#"):
            assert reference[1:] in made.ids
    assert len(set(made.ids)) == len(made.ids)
    assert "default-src 'none'" in page.read_text()
    assert page.stat().st_size < 1_000_000


def test_same_archive_gives_the_same_bytes(survey: Path, page: Path, tmp_path: Path) -> None:
    with Archive(survey) as archive:
        again = archive.report(NIGHTS_OF_SURVEY[-1], tmp_path / "again.html")
    assert again.read_bytes() == page.read_bytes()


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table></section><h1>all is well",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
    "]]><![CDATA[",
]


def test_text_from_outside_is_shown_and_nothing_else(tmp_path: Path) -> None:
    bad = [WHOLE | {"is_bad": True, "bad_reason": text, "input_file": text} for text in HOSTILE]
    refused = [{"input_file": text, "what": text, "hint": text, "code": text} for text in HOSTILE]
    root = published(tmp_path / "A", bad, refused, name="".join(HOSTILE))
    made = report(root, tmp_path / "r.html")
    assert not {"script", "img"} & set(made.tags)
    assert made.tags.count("h1") == 1
    assert made.handlers == []
    assert "".join(HOSTILE) in made.text
    for text in HOSTILE:
        assert made.sections["refusals"].count(text) == 3
        assert made.sections["worst"].count(text) >= 2


def test_text_that_moves_or_hides_its_neighbours_is_spelled(tmp_path: Path) -> None:
    text = "a\x1b[2J\u202egpj\x00b\x9b"
    bad = WHOLE | {"is_bad": True, "bad_reason": text, "input_file": text}
    root = published(tmp_path / "A", [bad], [{"input_file": text}])
    report(root, tmp_path / "r.html")
    written = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert all(one.isprintable() or one == "\n" for one in written)
    assert r"a\x1b[2J\u202egpj\x00b\x9b" in written


def test_file_without_header_is_of_the_night_of_its_name(tmp_path: Path) -> None:
    names = {
        "ztf_20240110500000_000600_zr_c01_o_q1_psfcat.fits": True,
        "ztf_20240111500000_000600_zr_c01_o_q1_psfcat.fits": False,
        "ztf_20249999500000_000600_zr_c01_o_q1_psfcat.fits": False,
        "ztf_99991231500000_000600_zr_c01_o_q1_psfcat.fits": False,
        "ztf_000600_zr_c01_q1_refpsfcat.fits": False,
    }
    refused = [{"input_file": name, "night": None} for name in names]
    root = published(tmp_path / "A", [WHOLE], refused, night=date(2024, 1, 10))
    made = report(root, tmp_path / "r.html")
    assert "The images are good, but 1 input was refused." in made.text
    assert {name: name in made.sections["refusals"] for name in names} == names
    # In the names it is noon: 13 hours later another night.
    root = published(tmp_path / "B", [], refused, night_offset_hours=13.0)
    late = report(root, tmp_path / "r.html", date(2024, 1, 11))
    assert {name: name in late.sections["refusals"] for name in names} == names


def test_figures_of_one_page_share_no_ids() -> None:
    drawn = []
    for name in ("one", "two"):
        figure = new_figure(3, 2)
        figure.add_subplot().plot([1, 2], [3, 4], "o-")
        drawn.append(inline_svg(figure, name, 'a "label" <b>'))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in drawn]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, own in zip(drawn, ids, strict=True):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) == own
        assert "http" not in svg
        assert 'aria-label="a &quot;label&quot; &lt;b&gt;"' in svg


# --- the verb -----------------------------------------------------------------------------------


def test_verb_writes_the_newest_night_here_and_says_where(
    survey: Path,
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", str(survey)]) == 0
    assert capsys.readouterr().out == "report-2024-01-11.html\n"
    assert Path("report-2024-01-11.html").read_bytes() == page.read_bytes()
    assert run(["report", str(survey), "20240110", "--out", "first.html"]) == 0
    assert "Night of 2024-01-10, Wednesday" in Page(Path("first.html")).text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "first.html",
        "report-2024-01-11.html",
    ]


def test_faults_are_told_and_nothing_is_written(
    survey: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.html"
    assert run(["report", str(survey), "2020-01-01", "--out", str(out)]) == 4
    assert "There are 2024-01-10, 2024-01-11." in capsys.readouterr().err
    assert run(["report", str(survey), "someday", "--out", str(out)]) == 2
    assert run(["report", str(survey), "2024-01-10", "more", "--out", str(out)]) == 2
    assert run(["report", str(survey), "--out", str(tmp_path / "no/folder/r.html")]) == 1
    assert run(["report", str(published(tmp_path / "empty")), "--out", str(out)]) == 4
    assert "holds no night yet" in capsys.readouterr().err
    assert not out.exists()
    with Archive(survey) as archive:
        with pytest.raises(UnknownReportNightError, match="2020-01-01 is not in the archive"):
            archive.report(date(2020, 1, 1), out)
        with pytest.raises(UnwritableOutputError):
            archive.report(out=tmp_path)
    with Archive(tmp_path / "empty") as archive, pytest.raises(EmptyArchiveError):
        archive.report(out=out)


# --- how it looks --------------------------------------------------------------------------------

PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK], ids=["phone", "desk"])
def test_page_looks_right_in_a_browser(
    chromium: Browser, page: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    from matplotlib.image import imread

    chromium.open(page, width=width, dark=dark)
    assert chromium.requests() == [page.as_uri()]
    assert chromium.complaints() == []
    # Nothing but what scrolls in a box of its own is wider than the window.
    assert chromium.ask("document.documentElement.scrollWidth") == width
    assert chromium.ask(_TOO_WIDE) == []
    # Letters that can be read, and that differ from what is behind them.
    assert min(chromium.ask(_LETTERS)) >= 7
    (tmp_path / "shot.png").write_bytes(chromium.screenshot())
    shot = imread(tmp_path / "shot.png")[..., :3]
    assert shot.shape[1] == width
    assert shot.shape[0] > 2000
    assert np.median(shot[::9]) < 0.25 if dark else np.median(shot[::9]) > 0.85
    # No stretch as high as half a screen is empty, and the figures have their colours.
    rows = np.ptp(shot[..., 0], axis=1) > 0.2
    gaps = np.diff(np.flatnonzero(np.concatenate([[True], rows, [True]])))
    assert gaps.max() < 400
    assert len(np.unique((shot[::2, ::2] * 15).astype(int) @ (256, 16, 1))) > 60


def test_large_numbers_and_long_names_find_room_on_a_phone(
    chromium: Browser, tmp_path: Path
) -> None:
    whole_night = WHOLE | {"n_published": 987_654_321, "n_matched": 987_654_320}
    refused = [{"input_file": "n" * 255, "what": "w" * 300}]
    root = published(tmp_path / "A", [whole_night], refused, name="a" * 200)
    report(root, tmp_path / "r.html")
    chromium.open(tmp_path / "r.html", width=PHONE)
    assert chromium.ask("document.documentElement.scrollWidth") == PHONE
    assert chromium.ask(_TOO_WIDE) == []
    narrow = "[...document.querySelectorAll('dd, h1')].filter(e => e.scrollWidth > e.clientWidth)"
    assert chromium.ask(f"{narrow}.map(e => e.innerText)") == []


_TOO_WIDE = """[...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.scroll, pre, svg, details:not([open])'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.outerHTML.slice(0, 100))"""
_LETTERS = """[...document.querySelectorAll('svg text, p, td, th, dd, dt, summary, a')]
    .map(e => parseFloat(getComputedStyle(e).fontSize)
        * (e.ownerSVGElement ? e.ownerSVGElement.getScreenCTM().a : 1))"""
