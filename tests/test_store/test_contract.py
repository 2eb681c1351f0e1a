"""The column contract holds together."""

import astropy.units as u
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.columns import NEVER
from store.contract import TABLES
from store.layout import SPATIAL_TABLES

COLUMNS = [(table, column) for table in TABLES.values() for column in table.columns]
NAMES = [f"{table.name}.{column.name}" for table, column in COLUMNS]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=NAMES)
def test_every_column_has_a_type_a_unit_a_ucd_and_a_meaning(table, column):
    assert pa.type_for_alias(column.dtype)
    assert u.Unit(column.unit, format="vounit", parse_strict="raise") is not None
    assert column.ucd
    assert column.description
    assert column.null
    if column.encoding == "delta":
        assert pa.types.is_integer(pa.type_for_alias(column.dtype))


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=NAMES)
def test_every_ucd_is_a_word_of_the_standard(table, column):
    from astropy.io.votable.ucd import check_ucd

    assert check_ucd(column.ucd, check_controlled_vocabulary=True), column.ucd


def test_a_name_means_one_type_and_unit_wherever_it_stands():
    seen = {}
    for table, column in COLUMNS:
        known = seen.setdefault(column.name, (column.dtype, column.unit, table.name))
        if column.name in {"secz", "magzp"}:
            continue  # float32 for a detection, float64 for an image
        assert known[:2] == (column.dtype, column.unit), (column.name, known[2], table.name)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_files_carry_the_contract_in_their_schema(table, tmp_path):
    path = tmp_path / "x.parquet"
    table.write(table.empty(), path)
    schema = pq.read_schema(path)
    assert schema.equals(table.schema(), check_metadata=True)
    for column in table.columns:
        metadata = schema.field(column.name).metadata
        assert metadata[b"unit"].decode() == column.unit
        assert metadata[b"ucd"].decode() == column.ucd
        assert schema.field(column.name).nullable == (column.null != NEVER)


def test_what_is_matched_to_is_kept_as_it_is_read(tmp_path):
    path = tmp_path / "x.parquet"
    table = TABLES["reference_sources"]
    rows = pa.table({c.name: pa.array([1], c.dtype) for c in table.columns})
    table.write(rows.cast(table.schema()), path)
    group = pq.read_metadata(path).row_group(0)
    chunks = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    for name in ("sourceid", "ra", "dec", "mag"):
        assert chunks[name].compression == "UNCOMPRESSED"
    assert "BYTE_STREAM_SPLIT" not in chunks["ra"].encodings
    assert chunks["flux"].compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in chunks["flux"].encodings


def test_spatial_tables_begin_with_the_healpix_index():
    for name, table in TABLES.items():
        assert table.spatial == (name in SPATIAL_TABLES)
        if table.spatial:
            assert table.names[0] == "_healpix_29"
            assert table.sort[0] == (
                "object_healpix_29" if name == "lightcurves" else "_healpix_29"
            )
            assert {"ra", "dec"} <= set(table.names)


def test_equal_rows_give_equal_bytes(tmp_path):
    table = TABLES["refusals"]
    rows = pa.Table.from_pylist(
        [{"input_file": "a", "code": "empty", "what": "w", "hint": "h"}], schema=table.schema()
    )
    for name in ("a", "b"):
        table.write(rows, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
