"""Rows as VOTable's BINARY2: a bit for each null, then the values, most significant byte first.

VOTable 1.4, section 5.4. Columns of a fixed width go into one array of records; texts that have
none are laid between them by their places, row by row but without a loop.
"""

from __future__ import annotations

import binascii
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from products.fields import Field
from store.arrow import as_numpy

Bytes = NDArray[np.uint8]
Index = NDArray[np.int64]
# Of a column: how a value is laid, and the values.
Values: TypeAlias = tuple[np.dtype[np.generic], NDArray[np.generic]]


class Binary2:
    """The stream of one table, in base 64."""

    def __init__(self, fields: list[Field]) -> None:
        self._fields = fields
        self._waiting = b""

    def rows(self, frame: pl.DataFrame) -> bytes:
        """Some rows, and what is left of those before; a part of them waits for the next."""
        raw = encode(frame, self._fields, self._waiting)
        n = raw.size - raw.size % 3
        self._waiting = raw[n:].tobytes()
        return binascii.b2a_base64(raw[:n].data, newline=False)

    def rest(self) -> bytes:
        """What is left."""
        raw, self._waiting = self._waiting, b""
        return binascii.b2a_base64(raw, newline=False)


def encode(frame: pl.DataFrame, fields: list[Field], before: bytes = b"") -> Bytes:
    """The rows of a frame, whose columns are those of the fields, behind the bytes before them."""
    if frame.is_empty():
        return np.frombuffer(before, np.uint8)
    # What lies between two texts of no fixed width is one piece of records.
    pieces: list[list[Values]] = [[_nulls(frame)]]
    texts: list[tuple[Bytes, Index]] = []
    for field in fields:
        series = frame[field.name]
        if field.is_text and field.width is None:
            texts.append(_text(series))
            pieces.append([])
        else:
            pieces[-1].append(_fixed(series, field))
    if texts:
        records = [_records(piece, frame.height).reshape(frame.height, -1) for piece in pieces]
        rows = _interleaved(records, texts, frame.height)
        return np.concatenate([np.frombuffer(before, np.uint8), rows])
    return _records(pieces[0], frame.height, before)


def _records(columns: list[Values], n: int, before: bytes = b"") -> Bytes:
    """Columns of fixed widths as one row of bytes each, behind the bytes before them."""
    kind = np.dtype([(f"f{i}", dtype) for i, (dtype, _) in enumerate(columns)])
    out = np.empty(len(before) + n * kind.itemsize, np.uint8)
    out[: len(before)] = np.frombuffer(before, np.uint8)
    records = np.ndarray(n, kind, out.data, offset=len(before))
    for i, (_, values) in enumerate(columns):
        records[f"f{i}"] = values
    return out


def _nulls(frame: pl.DataFrame) -> Values:
    n_bytes = (frame.width + 7) // 8
    # Each byte of all rows together: a row's lie a row apart only once they are written.
    flags = np.zeros((n_bytes, frame.height), np.uint8)
    for i, series in enumerate(frame.iter_columns()):
        if series.null_count():
            flags[i // 8] |= series.is_null().to_numpy().view(np.uint8) << np.uint8(7 - i % 8)
    return np.dtype((np.uint8, (n_bytes,))), flags.T


def _fixed(series: pl.Series, field: Field) -> Values:
    if field.is_text:
        return np.dtype(f"S{field.width}"), _ascii(series, field.width or 1)
    if series.dtype == pl.Boolean:
        letters = np.where(series.fill_null(value=False).to_numpy(), b"T", b"F")
        return np.dtype("S1"), letters
    if series.null_count() and not series.dtype.is_float():
        series = series.fill_null(0)
    values = series.to_numpy()  # a float that is null is NaN
    return values.dtype.newbyteorder(">"), values


def _ascii(series: pl.Series, width: int) -> NDArray[np.generic]:
    """Texts of codes as bytes."""
    # Few differ, so each is encoded once.
    coded = series.fill_null("").to_arrow().dictionary_encode()
    known = [text.encode("ascii", "replace") for text in coded.dictionary.to_pylist()]
    found: NDArray[np.generic] = np.array(known, f"S{width}")[as_numpy(coded.indices)]
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
