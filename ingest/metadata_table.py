"""The archive's metadata table of science images: what is known of an image that no header tells.

Columns as the archive's metadata service spells them. Its `maglimit` and `seeing` are left out:
against 16 real science headers they are 0.3–0.75 mag brighter than MAGLIM and 0.2–5 % above
SEEING, other quantities than `limitmag` and `seeing` of the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import MetadataTableError
from transforms.identifiers import rcid_unchecked

WHOLE = ("expid", "filefracday", "field", "fid", "ccdid", "qid", "rcid", "infobits", "programid")
REAL = ("obsmjd", "obsjd", "exptime", "airmass", "crval1", "crval2", "crpix1", "crpix2")
MATRIX = {"cd11": "cd1_1", "cd12": "cd1_2", "cd21": "cd2_1", "cd22": "cd2_2"}

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MetadataTable:
    """Rows by readout channel and exposure; of rows that repeat an image the first counts.

    Attributes
    ----------
    frame : the columns that are used, numbers; null where a value is missing or no number.
    """

    frame: pl.DataFrame
    by_name: dict[tuple[int, int], int] = field(repr=False)
    by_exposure: dict[tuple[int, int], int] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> MetadataTable:
        """Read a CSV or (by its ending `.parquet`) a Parquet file.

        Raises
        ------
        MetadataTableError : it cannot be read, or no column says which image a row is of.
        """
        path = Path(path)
        try:
            if path.suffix.lower() in {".parquet", ".pq"}:
                # Not polars' own reader: damaged pages end it in a panic.
                frame = pl.DataFrame(pq.read_table(path))
            else:
                # As text: one odd value must not decide the type of its column. Of a repeated
                # name (real tables have `airmass` twice) polars keeps the first as it is.
                frame = pl.read_csv(path, infer_schema=False)
            return cls.of(frame, path)
        except (OSError, ValueError, pa.ArrowException, pl.exceptions.PolarsError) as error:
            if isinstance(error, MetadataTableError):
                raise
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
            raise MetadataTableError(path, f"cannot be read ({reason})") from error

    @classmethod
    def of(cls, frame: pl.DataFrame, path: Path = Path("metadata")) -> MetadataTable:
        """The table of a data frame; `path` is what an error would name.

        Raises
        ------
        MetadataTableError : no column says which image a row is of.
        """
        names = set(frame.columns)
        if not ({"expid", "filefracday"} & names and ("rcid" in names or {"ccdid", "qid"} < names)):
            listed = ", ".join(frame.columns[:8]) + (", …" if len(frame.columns) > 8 else "")
            raise MetadataTableError(path, f"says not which image a row is of (columns: {listed})")
        kept = frame.select(
            *(_whole(name) for name in WHOLE if name in names),
            *(_real(name) for name in (*REAL, *MATRIX) if name in names),
        ).rename({old: new for old, new in MATRIX.items() if old in names})
        if "rcid" not in names:
            kept = kept.with_columns(rcid=rcid_unchecked(pl.col("ccdid"), pl.col("qid")))
        return cls(kept, _index(kept, "filefracday"), _index(kept, "expid"))

    def find(self, rcid: int, *, filefracday: int | None, expid: int | None) -> Row | None:
        """What is known of an image, by its name's fraction of the day, else by its exposure."""
        row = None if filefracday is None else self.by_name.get((filefracday, rcid))
        if row is None and expid is not None:
            row = self.by_exposure.get((expid, rcid))
        if row is None:
            return None
        return {k: v for k, v in self.frame.row(row, named=True).items() if v is not None}


def _whole(name: str) -> pl.Expr:
    # By way of float64 a text such as 20250106104907.0 is read as well; it holds 53 bits. What is
    # not whole is no such number: casts would cut it off.
    column = pl.col(name)
    real = column.cast(pl.Float64, strict=False)
    return (
        pl.when(real == real.floor())
        .then(
            pl.coalesce(column.cast(pl.Int64, strict=False), real.cast(pl.Int64, strict=False)),
        )
        .alias(name)
    )


def _real(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False)


def _index(frame: pl.DataFrame, key: str) -> dict[tuple[int, int], int]:
    if key not in frame.columns:
        return {}
    rows = frame.select(key, "rcid").with_row_index().drop_nulls().reverse()
    return {(value, rcid): row for row, value, rcid in rows.iter_rows()}
