"""The column contract's grammar: what is said of a column, and its Parquet form.

The contract itself, table by table, is in `store.contract`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # commands that only ask need the contract, but not pyarrow's half second
    import pyarrow as pa
    import pyarrow.parquet as pq

Codec = Literal["zstd", "lz4"]
Encoding = Literal["dictionary", "delta", "split", "plain"]
NEVER = "never null"

# zstd-1: 58 bytes a detection; lz4 is a little faster to write and takes 61, zstd-15 costs
# 2.6 times the write for 4.5 % less.
CODEC: Codec = "zstd"
CODEC_LEVEL = 1
# Of what is read a little at a time: twice as fast to read as zstd, for 6 % more.
FAST_CODEC: Codec = "lz4"
# Of files that are compacted: 0.9 % less than zstd-1 for 11 % more time to write, and read as fast;
# zstd-15 would be 6.6 % less for 15 times the write.
PERIOD_CODEC_LEVEL = 3
ROW_GROUP_ROWS = 65_536

_PARQUET_ENCODING = {"delta": "DELTA_BINARY_PACKED", "split": "BYTE_STREAM_SPLIT", "plain": "PLAIN"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, unit, meaning, what null means, and how it is kept on disk."""

    name: str
    dtype: str
    unit: str
    ucd: str
    description: str
    null: str = NEVER
    precision: str = "exact"
    encoding: Encoding = "plain"

    @property
    def nullable(self) -> bool:
        """Whether the column may hold null."""
        return self.null != NEVER

    def field(self) -> pa.Field:
        """The Arrow field, with the contract's words as its metadata."""
        import pyarrow as pa

        return pa.field(
            self.name,
            pa.type_for_alias(self.dtype),
            nullable=self.nullable,
            metadata={
                "unit": self.unit,
                "ucd": self.ucd,
                "description": self.description,
                "null": self.null,
                "precision": self.precision,
            },
        )


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the archive: its columns, its order on disk, and whether it is a HATS catalogue.

    `sort` names the columns its files are sorted by; `spatial` tables are HATS catalogues, cut
    into one folder a HEALPix pixel by `position`. Files have row groups of `row_group_rows`,
    compressed by `codec` but for the columns `bare`, and `statistics` of the columns that are
    named: of all but float32 if none are.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    sort: tuple[str, ...]
    spatial: bool = False
    position: tuple[str, str] = ("ra", "dec")
    row_group_rows: int = ROW_GROUP_ROWS
    codec: Codec = CODEC
    statistics: tuple[str, ...] | None = None
    bare: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Column:
        """The column of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return [column.name for column in self.columns]

    def schema(self, names: Sequence[str] | None = None) -> pa.Schema:
        """The Arrow schema, of all columns or of the named ones."""
        import pyarrow as pa

        chosen = self.columns if names is None else [self[name] for name in names]
        return pa.schema(
            [column.field() for column in chosen], metadata={"description": self.description}
        )

    def empty(self) -> pa.Table:
        """A table of no rows."""
        import pyarrow as pa

        # Not `empty_table`: that imports pandas, where it is installed.
        return pa.Table.from_batches([], self.schema())

    def write_options(self, codec_level: int = CODEC_LEVEL) -> dict[str, Any]:
        """Arguments of `pyarrow.parquet.ParquetWriter` that keep the contract's encodings.

        Dictionary encoding of high-cardinality columns, pyarrow's default, costs four times
        the write; BYTE_STREAM_SPLIT floats and packed integers compress better and faster.
        A dictionary's indices are packed runs already: to compress them gains 0.04 bytes of 57.
        """
        # Float32 columns are measurements: every row group has all of their values.
        ranged = [c.name for c in self.columns if c.dtype != "float32"]
        packed = [c.name for c in self.columns if c.encoding == "dictionary"]
        bare = [*packed, *self.bare]
        others = [c.name for c in self.columns if c.name not in bare]
        levels = dict.fromkeys(others, codec_level) if self.codec == CODEC else None
        return {
            "compression": dict.fromkeys(bare, "none") | dict.fromkeys(others, self.codec),
            "compression_level": levels,
            "use_dictionary": packed,
            "write_statistics": ranged if self.statistics is None else list(self.statistics),
            "column_encoding": {
                c.name: _PARQUET_ENCODING[c.encoding]
                for c in self.columns
                if c.encoding != "dictionary"
            },
            "write_page_index": True,
            "store_schema": True,
            "version": "2.6",
        }

    def writer(
        self,
        where: Any,
        codec_level: int = CODEC_LEVEL,
        metadata: Mapping[bytes, bytes] | None = None,
    ) -> pq.ParquetWriter:
        """A writer of this table to a file or sink: equal row groups give equal bytes.

        Parameters
        ----------
        metadata : said in the file beside the contract's words.
        """
        import pyarrow.parquet as pq

        schema = self.schema()
        schema = schema.with_metadata({**(schema.metadata or {}), **(metadata or {})})
        return pq.ParquetWriter(where, schema, **self.write_options(codec_level))

    def write(self, data: pa.Table, where: Any) -> None:
        """Write `data` (this table's schema) as one Parquet file; equal rows give equal bytes."""
        with self.writer(where) as writer:
            writer.write_table(data.cast(self.schema()), row_group_size=self.row_group_rows)
