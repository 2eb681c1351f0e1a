"""Rows as VOTable's BINARY2: a bit for each null, then the values, most significant byte first.

VOTable 1.4, section 5.4. Columns of a fixed width go into one array of records; texts that have
none are laid between them by their places, row by row but without a loop.
"""

from __future__ import annotations

import binascii

import numpy as np
import polars as pl
from numpy.typing import NDArray

from products.fields import Field

Bytes = NDArray[np.uint8]
Index = NDArray[np.int64]


class Binary2:
    """The stream of one table, in base 64."""

    def __init__(self, fields: list[Field]) -> None:
        self._fields = fields
        self._waiting = b""

    def rows(self, frame: pl.DataFrame) -> bytes:
        """Some rows, and what is left of those before; a part of them waits for the next."""
        raw = self._waiting + encode(frame, self._fields)
        n = len(raw) - len(raw) % 3
        self._waiting = raw[n:]
        return binascii.b2a_base64(memoryview(raw)[:n], newline=False)

    def rest(self) -> bytes:
        """What is left."""
        raw, self._waiting = self._waiting, b""
        return binascii.b2a_base64(raw, newline=False)


def encode(frame: pl.DataFrame, fields: list[Field]) -> bytes:
    """The rows of a frame, whose columns are those of the fields."""
    n = frame.height
    if not n:
        return b""
    # What lies between two texts of no fixed width is one piece of records.
    pieces: list[list[tuple[np.dtype[np.generic], NDArray[np.generic]]]] = [[]]
    texts: list[tuple[Bytes, Index]] = []
    pieces[0].append(_nulls(frame))
    for field in fields:
        series = frame[field.name]
        if field.is_text and field.width is None:
            texts.append(_text(series))
            pieces.append([])
        else:
            pieces[-1].append(_fixed(series, field))
    records = [_records(piece, n) for piece in pieces]
    if not texts:
        return records[0].tobytes()
    return _interleaved(records, texts, n).tobytes()


def _records(columns: list[tuple[np.dtype[np.generic], NDArray[np.generic]]], n: int) -> Bytes:
    """Columns of fixed widths as one row of bytes each, (n, their bytes)."""
    kind = np.dtype([(f"f{i}", dtype) for i, (dtype, _) in enumerate(columns)])
    records = np.empty(n, kind)
    for i, (_, values) in enumerate(columns):
        records[f"f{i}"] = values
    return records.view(np.uint8).reshape(n, kind.itemsize) if columns else np.empty((n, 0), "u1")


def _nulls(frame: pl.DataFrame) -> tuple[np.dtype[np.generic], NDArray[np.generic]]:
    n_bytes = (frame.width + 7) // 8
    kind: np.dtype[np.generic] = np.dtype((np.uint8, (n_bytes,)))
    flags = np.zeros((frame.height, n_bytes), np.uint8)
    for i, series in enumerate(frame.iter_columns()):
        if series.null_count():
            flags[:, i // 8] |= series.is_null().to_numpy().astype(np.uint8) << (7 - i % 8)
    return kind, flags


def _fixed(series: pl.Series, field: Field) -> tuple[np.dtype[np.generic], NDArray[np.generic]]:
    if field.is_text:
        return np.dtype(f"S{field.width}"), _ascii(series, field.width or 1)
    if series.dtype == pl.Boolean:
        letters = np.where(series.fill_null(value=False).to_numpy(), b"T", b"F")
        return np.dtype("S1"), letters
    if series.null_count():
        series = series.fill_null(float("nan") if series.dtype.is_float() else 0)
    values = series.to_numpy()
    return values.dtype.newbyteorder(">"), values


def _ascii(series: pl.Series, width: int) -> NDArray[np.generic]:
    """Texts of codes as bytes; few differ, so each is encoded once."""
    distinct = series.fill_null("").unique()
    known = np.array([text.encode("ascii", "replace") for text in distinct], f"S{width}")
    order = {text: i for i, text in enumerate(distinct)}
    place = series.fill_null("").replace_strict(order, return_dtype=pl.Int64)
    found: NDArray[np.generic] = known[place.to_numpy()]
    return found


def _text(series: pl.Series) -> tuple[Bytes, Index]:
    """UTF-16 of each text behind the number of its units: all bytes, and how many are a row's."""
    encoded = [value.encode("utf-16-be", "replace") for value in series.fill_null("")]
    length = np.fromiter(map(len, encoded), np.int64, len(encoded))
    heads = (length // 2).astype(">i4").tobytes()
    laid = b"".join(heads[4 * i : 4 * i + 4] + one for i, one in enumerate(encoded))
    return np.frombuffer(laid, np.uint8), length + 4


def _interleaved(records: list[Bytes], texts: list[tuple[Bytes, Index]], n: int) -> Bytes:
    """Rows: records, text, records, text, records …"""
    lengths = [np.full(n, records[0].shape[1])]
    for (_, length), record in zip(texts, records[1:], strict=True):
        lengths += [length, np.full(n, record.shape[1])]
    each = np.stack(lengths, axis=1)
    start = (np.cumsum(each.ravel()) - each.ravel()).reshape(each.shape)
    out = np.empty(int(each.sum()), np.uint8)
    for i, record in enumerate(records):
        out[start[:, 2 * i, None] + np.arange(record.shape[1])] = record
    for i, (data, length) in enumerate(texts):
        begin = np.cumsum(length) - length
        out[np.repeat(start[:, 2 * i + 1] - begin, length) + np.arange(data.size)] = data
    return out
