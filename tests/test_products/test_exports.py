import io
import re
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from archives import Channel, cluster, nightly
from astropy.io.votable import parse_single_table

from products.errors import UnknownFormatError, UnwritableOutputError
from products.exports import export, format_of
from products.tables import print_table
from queries.columns import describe
from queries.curves.reader import CurveReader
from queries.selection import Selection


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    root = tmp_path_factory.mktemp("a") / "A"
    snapshot = nightly(root, *cluster(10, 45), n_nights=3)
    return CurveReader(snapshot).lightcurves(Selection.of_objects(int(Channel().oids(12)[3])))


def test_floats_of_four_bytes_are_written_with_the_digits_they_have(tmp_path, capsys) -> None:
    frame = pl.DataFrame({"chi": pl.Series([1.307, 0.1, None, float("nan")], dtype=pl.Float32)})
    print_table(frame)
    assert capsys.readouterr().out.split() == ["chi", "1.307", "0.1", "–", "NaN"]
    export(frame, "csv", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "chi\n1.307\n0.1\n\nNaN\n"


def test_csv_gives_every_digit(curve: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    export(curve, "csv", out)
    again = pl.read_csv(out, schema=curve.schema)
    assert again.equals(curve)


def test_parquet_carries_units_and_meaning(curve: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "c.parquet"
    export(curve, "parquet", out, columns=describe(curve.columns), description="A curve.")
    schema = pq.read_schema(out)
    assert schema.field("hmjd").metadata[b"unit"] == b"d"
    assert schema.field("mag").metadata[b"ucd"] == b"phot.mag"
    assert schema.metadata[b"description"] == b"A curve."
    assert str(schema.field("filtercode").type) == "string"
    assert pl.read_parquet(out).equals(curve)


def test_votable_reads_back_in_astropy_with_units(curve: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "c.vot"
    columns = describe(curve.columns)
    export(curve, "votable", out, columns=columns, description="A curve.")
    assert b'version="1.4"' in out.read_bytes()
    votable = parse_single_table(out)
    table = votable.to_table()
    assert table.colnames == curve.columns
    for name, column in columns.items():
        assert str(table[name].unit or "") == column.unit
        assert votable.get_field_by_id_or_name(name).ucd == (column.ucd or None)
    assert table["hmjd"].tolist() == curve["hmjd"].to_list()
    assert table["oid"].tolist() == curve["oid"].to_list()
    assert table["catflags"].tolist() == [65535] * 3
    assert table["filefracday"].mask.all()
    assert table["night"].tolist() == [str(night) for night in curve["night"]]
    assert [bool(bad) for bad in table["is_bad"]] == [False] * 3


def test_votable_of_no_rows_keeps_its_columns(curve: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "c.vot"
    export(curve.clear(), "votable", out, columns=describe(curve.columns))
    assert parse_single_table(out).to_table().colnames == curve.columns


def test_same_frame_gives_same_bytes(curve: pl.DataFrame, tmp_path: Path) -> None:
    for kind in ("csv", "parquet", "votable"):
        one, two = tmp_path / f"1.{kind}", tmp_path / f"2.{kind}"
        export(curve, kind, one, columns=describe(curve.columns))
        export(curve, kind, two, columns=describe(curve.columns))
        assert one.read_bytes() == two.read_bytes()


def test_ad_hoc_answers_claim_nothing(tmp_path: Path) -> None:
    out = tmp_path / "c.parquet"
    export(pl.DataFrame({"mag": [1.0], "n": [date(2024, 1, 1)]}), "parquet", out)
    assert pq.read_schema(out).field("mag").metadata is None


def test_unwritable_output_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1]})
    with pytest.raises(UnwritableOutputError, match=r"no/such/a\.csv: cannot write \(No such"):
        export(frame, "csv", tmp_path / "no/such/a.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableOutputError):
        export(frame, "csv", tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_format_follows_the_name() -> None:
    assert format_of(Path("a.CSV")) == "csv"
    assert format_of(Path("a.vot")) == "votable"
    with pytest.raises(UnknownFormatError, match=r"a\.fits: the name tells no format"):
        format_of(Path("a.fits"))
    with pytest.raises(UnknownFormatError, match="'fits' is not known"):
        export(pl.DataFrame(), "fits", None)


def test_table_in_a_pipe_shows_everything(
    curve: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(curve, describe(curve.columns), first=("hmjd", "mag"), max_rows=1)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "hmjd",
        "mag",
        *(c for c in curve.columns if c not in ("hmjd", "mag")),
    ]
    assert len(lines) == 3
    assert lines[0].split()[0] == "60319.254000"


def test_table_on_a_terminal_says_what_it_leaves_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    frame = pl.DataFrame({f"column_{i}": range(50) for i in range(9)})
    terminal = _Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    print_table(frame)
    text = terminal.getvalue()
    assert "… 10 more rows and 6 more columns: --format csv gives all" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines()[:-1])) <= 30


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_table_keeps_each_cell_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pl.DataFrame({"what": ["a\nb" + "x" * 80, None], "ok": [True, None]}))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "a bx" in lines[1]
    assert "…" in lines[1]
    assert lines[2].split() == ["–", "–"]
