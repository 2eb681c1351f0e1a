"""Arrow streams and Parquet, written piece by piece to whoever takes the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from products.arrow_tables import to_arrow
from store.columns import CODEC, CODEC_LEVEL, Column

ARROW_TYPE = "application/vnd.apache.arrow.stream"
PARQUET_TYPE = "application/vnd.apache.parquet"


class Sink:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._n_bytes = 0

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        copied = bytes(data)
        self._written.append(copied)
        self._n_bytes += len(copied)
        return len(copied)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._n_bytes

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Take no more."""
        self.closed = True

    def readable(self) -> bool:
        """No."""
        return False

    def seekable(self) -> bool:
        """No."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def take(self) -> bytes:
        """What was written since the last time."""
        written, self._written = self._written, []
        return b"".join(written)


class _Pieces:
    """A writer of Arrow's own behind ours."""

    def __init__(
        self, schema: pl.Schema, columns: Mapping[str, Column], description: str = ""
    ) -> None:
        self._columns, self._description = columns, description
        self._sink = Sink()
        self._file = pa.PythonFile(self._sink, "w")
        self._writer = self._open(self._table(pl.DataFrame(schema=schema)).schema)

    def _open(self, schema: pa.Schema) -> Any:
        raise NotImplementedError

    def _table(self, frame: pl.DataFrame) -> pa.Table:
        return to_arrow(frame, self._columns, self._description)

    def head(self) -> bytes:
        """What the format begins with."""
        return self._sink.take()

    def rows(self, frame: pl.DataFrame) -> bytes:
        """Some rows: a batch, or a row group."""
        self._writer.write_table(self._table(frame))
        return self._sink.take()

    def tail(self) -> bytes:
        """What the format ends with."""
        self._writer.close()
        self._file.flush()
        return self._sink.take()


class ArrowPieces(_Pieces):
    """Arrow's IPC stream."""

    def _open(self, schema: pa.Schema) -> Any:
        return pa.ipc.new_stream(self._file, schema)


class ParquetPieces(_Pieces):
    """Parquet."""

    def _open(self, schema: pa.Schema) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetWriter(
            self._file, schema, compression=CODEC, compression_level=CODEC_LEVEL
        )
