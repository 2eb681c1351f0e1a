from datetime import date
from pathlib import Path

import polars as pl
import pytest
from archives import Channel, cluster, nightly
from polars.testing import assert_frame_equal

from nightlake.archive import Archive
from nightlake.cli import run
from queries.errors import NotBuiltError, UnknownQueryError
from queries.named import offered, query_names
from queries.parameters import form

# What the library offers at least.
PROMISED = {
    "airmass_across_focal_plane", "brightest_variables", "cone_search", "depth_map",
    "hjd_fit_residuals", "images_by_quality", "lightcurve", "match_rate", "new_sources",
    "night_summary", "nights", "refusals", "repeatability", "scale_qa_by_image",
    "scale_qa_by_night", "scale_vs_airmass", "zero_point_trend",
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("query") / "A"
    nightly(path, *cluster(10, 45), channels=[Channel()], n_nights=3)
    return path


def test_the_library_has_what_is_promised() -> None:
    assert set(query_names()) >= PROMISED


def test_a_query_is_answered_alike_from_command_and_python(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answer.parquet"
    given = ["-p", "ra=10", "-p", "dec=45", "-p", "radius_arcsec=40"]
    assert run(["query", str(archive), "cone_search", *given, "--out", str(out)]) == 0
    with Archive(archive) as opened:
        frame = opened.query("cone_search", ra=10, dec=45.0, radius_arcsec=40)
    assert frame.height > 3
    assert_frame_equal(pl.read_parquet(out), frame)
    assert run(["query", str(archive), "nights", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("2024-01-10,1,1,0,12")


def test_a_night_may_be_a_date_or_a_text(archive: Path) -> None:
    with Archive(archive) as opened:
        one = opened.query("night_summary", night=date(2024, 1, 11))
        assert one.height == 1
        assert opened.query("night_summary", night="20240111").equals(one)
        assert opened.query("night_summary").height == 3


def test_an_earlier_publication_is_asked(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", str(archive), "counts", "--as-of", "1", "--format", "csv"]) == 0
    assert "detections,36" in capsys.readouterr().out


def test_the_list_explains_every_query(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "--list"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for name in query_names():
        named = offered(name)
        assert f"{name} {named.meaning}" in said
        for parameter in named.parameters:
            default = "" if parameter.default is None else f" = {parameter.default}"
            assert f"${parameter.name} ({parameter.type}{default}): {parameter.meaning}" in said
            assert form(parameter.type)
        for column, unit in named.columns.items():
            assert (f"{column} [{unit}]" if unit else column) in said


def test_the_sql_of_a_query_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "--show", "depth_map"]) == 0
    assert capsys.readouterr().out == offered("depth_map").sql


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "no query is named nope. There are: airmass_across_focal_plane, "),
        (["stale_images"], "no query is named stale_images"),
        (["lightcurve"], "query lightcurve needs a value for oid"),
        (["lightcurve", "-p", "oid=a"], "parameter oid cannot be 'a'"),
        (["nights", "-p", "x=1"], "query nights has no parameter x. It takes none."),
        (["nights", "-p", "x"], "'x' is no value: write name=value"),
        (["night_summary", "-p", "night=2024"], "parameter night cannot be '2024'"),
        (["depth_map", "-p", "filtercode=r"], "filter 'r' is not known"),
        ([], "No NAME of a query"),
    ],
)
def test_what_is_not_understood_is_told_in_one_line(
    archive: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(["query", str(archive), *words]) == 2
    assert said in capsys.readouterr().err


def test_statements_of_nightlakes_own_are_not_offered(archive: Path) -> None:
    with Archive(archive) as opened, pytest.raises(UnknownQueryError):
        opened.query("stale_images")


def test_what_was_never_built_is_told_with_what_builds_it(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Archive(archive) as opened, pytest.raises(NotBuiltError, match="was never built"):
        opened.query("brightest_variables")
    assert run(["query", str(archive), "brightest_variables"]) == 4
    assert f"nightlake build {archive} lightcurves" in capsys.readouterr().err
