"""What is downloaded, and what the snippets give, is what Archive.lightcurve gives."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from astropy.io.votable import parse_single_table
from polars.testing import assert_frame_equal

from nightlake import Archive
from service.archive import Served
from service.errors import BadRequestError
from service.page.app import make_page
from service.page.archive import archive_page, coverage_of, quality_charts
from service.page.around import details
from service.page.heading import file_link, sexagesimal
from service.page.light_curves import chosen, light_curve_page
from service.page.snippets import fetch_of, python_of, sql_of
from service.page.stars import Source, Star
from service.page.state import PageState
from service.page.tables import link, table
from service.settings import Settings

KEY = ["expid", "rcid", "oid", "hmjd", "mag", "magerr", "catflags", "filtercode", "airmass"]


@pytest.fixture(scope="module")
def archive(sky: Any) -> Any:
    with Archive(sky.root) as archive:
        yield archive


def oid_of(archive: Archive, sky: Any) -> int:
    rows = archive.lightcurve(cone=(sky.star.ra, sky.star.dec, 1.5))
    return int(rows["oid"].drop_nulls()[0])


def states(archive: Archive, sky: Any) -> list[PageState]:
    oid = str(oid_of(archive, sky))
    return [
        PageState(q=sky.searched),
        PageState(q=sky.searched, r="30", images=True),
        PageState(q=sky.searched, bands="zr", flagged=False),
        PageState(q=sky.searched, field="655"),
        PageState(q=oid),
        PageState(q=oid, alone=True, images=True),
        PageState(q=oid, limits=True, images=True),
    ]


def rows_of(archive: Archive, state: PageState, oid: int, sky: Any) -> pl.DataFrame:
    """What is asked for, said once more by hand."""
    more: dict[str, Any] = {"all_images": state.images, "upper_limits": state.limits}
    if state.bands:
        more["filters"] = [state.bands]
    if state.field:
        more["fields"] = [int(state.field)]
    if not state.flagged:
        more["flags_mask"] = 65535
    if " " in state.q:
        ra, dec = map(float, state.q.split())
        return archive.lightcurve(cone=(ra, dec, float(state.r)), **more)
    return archive.lightcurve(oid, group=not state.alone, **more)


def test_files_are_what_archive_lightcurve_gives(archive: Archive, sky: Any, get: Any) -> None:
    for state in states(archive, sky):
        expected = rows_of(archive, state, oid_of(archive, sky), sky)
        assert expected.height > 10
        for kind in ("csv", "parquet", "vot"):
            answer = get(f"/page/lightcurve.{kind}{state.search()}")
            assert answer.status == 200
            assert "attachment" in answer.headers["content-disposition"]
            if kind == "csv":
                assert answer.text == expected.write_csv()
            elif kind == "parquet":
                assert_frame_equal(pl.read_parquet(io.BytesIO(answer.content)), expected)
            else:
                table = parse_single_table(io.BytesIO(answer.content)).to_table()
                assert len(table) == expected.height
                assert list(table["expid"]) == expected["expid"].to_list()


def test_both_filters_of_a_star_come_for_the_id_of_one(
    archive: Archive, sky: Any, source: Source
) -> None:
    state = PageState(q=str(oid_of(archive, sky)))
    star = source.star(chosen(state), state)
    assert set(star.rows["filtercode"]) == {"zg", "zr"}
    alone = replace(state, alone=True)
    assert source.star(chosen(alone), alone).rows["filtercode"].n_unique() == 1


def test_the_python_gives_the_rows(archive: Archive, sky: Any, source: Source) -> None:
    for state in states(archive, sky):
        star = source.star(chosen(state), state)
        script = python_of(star, str(sky.root)).replace("print(curve)", "print(curve.write_csv())")
        out = io.StringIO()
        with redirect_stdout(out):
            exec(script, {})
        assert out.getvalue().strip() == star.rows.write_csv().strip()


def test_the_python_gives_the_rows_from_anywhere(archive: Archive, sky: Any, address: str) -> None:
    state = PageState(q=sky.searched, bands="zr")
    given: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()):
        exec(fetch_of(f"{address}{file_link('/', state, 'parquet')}"), given)
    expected = rows_of(archive, state, oid_of(archive, sky), sky)
    assert given["curve"]["expid"].to_list() == expected["expid"].to_list()
    assert given["curve"]["mag"].to_list() == expected["mag"].to_list()


def test_the_sql_gives_the_same_detections(archive: Archive, sky: Any, source: Source) -> None:
    for state in states(archive, sky):
        star = source.star(chosen(state), state)
        found = archive.sql(sql_of(star)).select(KEY).sort(KEY)
        assert_frame_equal(found, star.detections.select(KEY).sort(KEY), check_dtypes=False)


def test_the_picture_is_one(sky: Any, get: Any) -> None:
    for more in ({}, {"p": "0.54"}):
        state = PageState(q=sky.searched, **more)
        answer = get(f"/page/lightcurve.png{state.search()}")
        assert answer.headers["content-type"] == "image/png"
        assert answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/page/lightcurve.csv", 400, "nothing is searched"),
        ("/page/lightcurve.csv?q=M87", 400, "neither"),
        ("/page/lightcurve.csv?q=10+20&r=1e9", 400, "radius"),
        ("/page/lightcurve.csv?q=10+20&r=x", 400, "radius"),
        ("/page/lightcurve.csv?q=123456789012345", 404, "no"),
        ("/page/lightcurve.exe?q=10+20", 400, "format"),
        ("/page/lightcurve.png?q=10+20", 404, "no detection"),
        ("/page/lightcurve.png?q=10+20&p=0.5", 404, "no detection"),
        ("/page/report/2024-99-01", 400, "night"),
        ("/page/report/1999-01-01", 404, "not in the archive"),
    ],
)
def test_what_cannot_be_given_is_said_in_words(
    get: Any, sky: Any, path: str, status: int, words: str
) -> None:
    answer = get(path)
    assert answer.status == status
    assert words in answer.text
    assert str(sky.root) not in answer.text


def test_each_night_has_its_report(get: Any) -> None:
    answer = get("/page/report/2024-01-10")
    assert answer.status == 200
    assert "Night of 2024-01-10" in answer.text


SERVED = """
import sys
from pathlib import Path
from urllib.request import urlopen
from serving import serving

with serving(Path(sys.argv[1])) as address:
    for path in sys.argv[2:]:
        with urlopen(address + path, timeout=300) as answer:
            print(answer.status, answer.headers["content-type"])
"""


def test_pictures_and_reports_need_no_archive_that_can_be_written(
    archive: Archive, sky: Any, tmp_path: Path
) -> None:
    """Another process: what has drawn already has found its folder."""
    root, temporary = tmp_path / "archive", tmp_path / "tmp"
    shutil.copytree(sky.root, root, symlinks=True, copy_function=os.link)
    shutil.rmtree(root / "scratch", ignore_errors=True)
    (root / "scratch").write_text("in the way")
    temporary.mkdir()
    picture = f"/page/lightcurve.png?q={oid_of(archive, sky)}"
    done = subprocess.run(
        [sys.executable, "-c", SERVED, str(root), picture, "/page/report/2024-01-10"],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)},
    )  # fmt: skip
    told = ["200 image/png", "200 text/html; charset=utf-8"]
    assert done.stdout.splitlines() == told, done.stderr
    assert list(temporary.iterdir()) == []


def test_only_its_own_paths_are_the_pages(get: Any) -> None:
    assert get("/").status == 200
    assert get("/archive").status == 200
    for path in ("/api/v2", "/nothing", "/scs", "/cgi-bin/ZTF/nph_light_curves"):
        assert get(path).status == 404


def test_what_is_private_is_shown_nowhere(sky: Any) -> None:
    served = Served(Settings(sky.root, programs="7"))
    try:
        source = Source(served)
        state = PageState(q=sky.searched, r="30")
        star = source.star(chosen(state), state)
        assert star.rows.is_empty()
        assert source.statistics(star) is None
        assert source.variables() is None
        assert not source.is_public()
    finally:
        served.close()


def test_a_star_stands_together_before_the_product_is_built(
    sky: Any, tmp_path: Path, archive: Archive
) -> None:
    first = archive.history()["number"].to_list()
    state = PageState(q=str(oid_of(archive, sky)))
    with Archive(sky.root, as_of=first[-2]) as former:
        built = any(group.startswith("lightcurves") for group in former.snapshot.groups)
        assert not built
    star = _unbuilt(sky, state, tmp_path)
    assert set(star.rows["filtercode"]) == {"zg", "zr"}
    assert "not built" in star.notes[0]


def _unbuilt(sky: Any, state: PageState, tmp_path: Path) -> Star:
    import shutil

    root = tmp_path / "archive"
    shutil.copytree(sky.root, root, symlinks=True)
    current = root / "current"
    former = sorted(path.name for path in (root / "publications").iterdir())[-2]
    current.unlink()
    current.symlink_to(f"publications/{former}")
    served = Served(Settings(root, programs="all"))
    try:
        return Source(served).star(chosen(state), state)
    finally:
        served.close()


def test_a_table_is_one_component_however_long_it_is(source: Source, sky: Any) -> None:
    state = PageState(q=sky.searched, r="60")
    star = source.star(chosen(state), state)
    assert star.detections.height > 50
    parts = details(source, star, "")
    components = [one for part in parts for one in (part, *part._traverse())]
    assert len(components) < 30
    given = [one.to_plotly_json()["props"] for one in components if not isinstance(one, str)]
    (listing,) = [props["data-html"] for props in given if "data-html" in props]
    assert listing.count("<tr>") == star.detections.height + 1


def test_what_stands_in_a_table_is_text() -> None:
    box = table(("<i>",), [["<script>"], [link("<b>", 'x"y')]], "it", words=(0,))
    text = box.to_plotly_json()["props"]["data-html"]
    assert "<script>" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert 'href="x&#34;y"' in text


def test_an_archive_with_nothing_in_it_has_its_pages(tmp_path: Path) -> None:
    Archive.create(tmp_path / "archive", name="nothing <i>yet").close()
    served = Served(Settings(tmp_path / "archive"))
    try:
        source = Source(served)
        assert source.archive_name == "nothing <i>yet"
        page = make_page(served).server.test_client().get("/").text
        assert "nothing &lt;i&gt;yet</title>" in page
        with pytest.raises(BadRequestError, match="nothing is searched"):
            chosen(PageState(q=" "))
        assert "Nothing was measured there" in str(
            light_curve_page(source, "/", PageState(q="10 20"))
        )
        assert "not in the archive" in str(light_curve_page(source, "/", PageState(q="9" * 15)))
        assert "No input was refused" in str(archive_page(source, "/"))
        assert all("nothing is known" in str(chart) for chart in quality_charts(source, "light"))
        assert "No image" in str(coverage_of(source, None, "dark"))
    finally:
        served.close()


@pytest.mark.parametrize(
    ("ra", "dec", "text"),
    [
        (0.0, 0.0, "00:00:00.00 +00:00:00.0"),
        (359.9999999, 89.99999999, "00:00:00.00 +90:00:00.0"),
        (187.70593, -12.39112, "12:30:49.42 −12:23:28.0"),
        (15.0, -0.5, "01:00:00.00 −00:30:00.0"),
    ],
)
def test_places_are_never_sixty_seconds(ra: float, dec: float, text: str) -> None:
    assert sexagesimal(ra, dec) == text


def test_heavy_libraries_wait_until_they_are_needed() -> None:
    script = (
        "import sys, json, service.page.app;"
        "print(json.dumps([m for m in ('nifty_ls', 'healpy', 'numba') if m in sys.modules]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(found.stdout) == []
