"""The truth beside the files: what every source is, and what every measured row came from."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulate.arrays import Bools, Floats, Ints
from simulate.errors import UnwritableTargetError
from simulate.image import Image
from simulate.sky import Sky
from simulate.variables import KINDS

SOURCES = pa.schema(
    [
        pa.field("source_id", pa.int64(), False, {"meaning": "field·1e9 + rcid·1e7 + number"}),
        pa.field("field", pa.int16(), False),
        pa.field("rcid", pa.int8(), False),
        pa.field("ra", pa.float64(), False, {"unit": "deg", "meaning": "ICRS"}),
        pa.field("dec", pa.float64(), False, {"unit": "deg", "meaning": "ICRS"}),
        *(
            pa.field(
                f"mag_{band}", pa.float64(), False,
                {"unit": "mag", "meaning": "mean; of a transient at maximum"},
            )
            for band in "gri"
        ),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), False),
        pa.field("period_d", pa.float64(), True, {"unit": "d"}),
        pa.field(
            "epoch_hmjd", pa.float64(), True,
            {"unit": "d", "meaning": "maximum light, of an eclipsing star the minimum; HMJD, UTC"},
        ),
        pa.field(
            "amplitude_mag", pa.float64(), True,
            {"unit": "mag", "meaning": "peak to peak in g, of an eclipsing star the depth"},
        ),
        *(
            pa.field(
                f"ref_sourceid_{band}", pa.int32(), True,
                {"meaning": "sourceid in the reference catalogue, null if not in it"},
            )
            for band in "gri"
        ),
    ]
)  # fmt: skip

DETECTIONS = pa.schema(
    [
        pa.field("expid", pa.int64(), False),
        pa.field("field", pa.int16(), False),
        pa.field("fid", pa.int8(), False),
        pa.field("rcid", pa.int8(), False),
        pa.field("sourceid", pa.int32(), False, {"meaning": "row of the psfcat, from 0"}),
        pa.field("source_id", pa.int64(), True, {"meaning": "true source, null if spurious"}),
        pa.field("ref_sourceid", pa.int32(), True, {"meaning": "its row in the refpsfcat"}),
        pa.field("mag_true", pa.float32(), True, {"unit": "mag", "meaning": "without error"}),
        pa.field(
            "mag_expected", pa.float32(), True,
            {"unit": "mag", "meaning": "mag + MAGZP without error: no colour term"},
        ),
        pa.field("ra_true", pa.float64(), True, {"unit": "deg"}),
        pa.field("dec_true", pa.float64(), True, {"unit": "deg"}),
        pa.field("hmjd_true", pa.float64(), True, {"unit": "d", "meaning": "of varying sources"}),
        pa.field("snr", pa.float32(), False),
        pa.field("isolated", pa.bool_(), False, {"meaning": "no rival within 6 arcsec"}),
    ]
)  # fmt: skip

Columns = dict[str, pa.Array]


def nullable(values: Floats | Ints, known: Bools, kind: pa.DataType) -> pa.Array:
    """An Arrow column, null where `known` is False."""
    return pa.array(values, mask=~known).cast(kind)


def source_columns(sky: Sky, field: int, rcid: int, reference_rows: dict[int, Ints]) -> Columns:
    """Columns of SOURCES for one quadrant; `reference_rows` maps fid to rows, −1 where none."""
    n = len(sky.ra)
    absent = np.full(n, -1)
    columns: Columns = {
        "source_id": pa.array(sky.source_id),
        "field": pa.array(np.full(n, field, np.int16)),
        "rcid": pa.array(np.full(n, rcid, np.int8)),
        "ra": pa.array(sky.ra),
        "dec": pa.array(sky.dec),
        "kind": pa.DictionaryArray.from_arrays(sky.kind.astype(np.int8), list(KINDS)),
    }
    for number, band in enumerate("gri"):
        rows = reference_rows.get(number + 1, absent)
        columns[f"mag_{band}"] = pa.array(sky.mag[number])
        columns[f"ref_sourceid_{band}"] = nullable(rows, rows >= 0, pa.int32())
    for name, values in (
        ("period_d", sky.period_d),
        ("epoch_hmjd", sky.epoch_hmjd),
        ("amplitude_mag", sky.amplitude),
    ):
        columns[name] = nullable(values, np.isfinite(values), pa.float64())
    return columns


def detection_columns(
    sky: Sky, field: int, rcid: int, image: Image, rows_of: Ints, hmjd: Floats, alone: Bools
) -> Columns:
    """Columns of DETECTIONS for one image.

    Parameters
    ----------
    sky, field, rcid : what is there, and where.
    image : what was measured.
    rows_of : int (n,), row of each true source in the reference, −1 for none.
    hmjd : float64 (v,), heliocentric mid-exposure time of the varying sources.
    alone : bool (n,), which true sources are isolated in this image.
    """
    n, index, real = len(image.rows), image.index, image.index >= 0
    frame, exposure = image.frame, image.exposure
    times = np.full(len(sky.ra), np.nan)
    times[sky.varying] = hmjd
    reference, times, magnitude = rows_of[index], times[index], image.mag_now[index]
    expected = magnitude - frame.clrcoeff * sky.colour(frame.fid)[index]
    return {
        "expid": pa.array(np.full(n, exposure.expid)),
        "field": pa.array(np.full(n, field, np.int16)),
        "fid": pa.array(np.full(n, exposure.fid, np.int8)),
        "rcid": pa.array(np.full(n, rcid, np.int8)),
        "sourceid": pa.array(image.rows["sourceid"].astype(np.int32)),
        "source_id": nullable(sky.source_id[index], real, pa.int64()),
        "ref_sourceid": nullable(reference, real & (reference >= 0), pa.int32()),
        "mag_true": nullable(magnitude, real, pa.float32()),
        "mag_expected": nullable(expected, real, pa.float32()),
        "ra_true": nullable(sky.ra[index], real, pa.float64()),
        "dec_true": nullable(sky.dec[index], real, pa.float64()),
        "hmjd_true": nullable(times, real & np.isfinite(times), pa.float64()),
        "snr": pa.array(image.rows["snr"].astype(np.float32)),
        "isolated": pa.array(real & alone[index]),
    }


def batch(schema: pa.Schema, columns: Columns) -> pa.RecordBatch:
    """A record batch with the schema's columns in the schema's order."""
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _encodings(schema: pa.Schema) -> dict[str, object]:
    """Writer's options: split floats cost half the bytes, and a dictionary of them four times."""
    repeated = [name for name in ("kind", "expid", "field", "fid", "rcid") if name in schema.names]
    split = {
        field.name: "BYTE_STREAM_SPLIT" for field in schema if pa.types.is_floating(field.type)
    }
    return {"use_dictionary": repeated, "column_encoding": split}


class TruthFile:
    """A truth table that is written batch by batch and named when complete."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._hidden = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._hidden, schema, compression="lz4", **_encodings(schema)
            )
        except OSError as error:
            raise UnwritableTargetError(path, error.strerror or str(error)) from error

    def add(self, batches: list[pa.RecordBatch]) -> None:
        """Append batches as one row group."""
        if batches:
            table = pa.Table.from_batches(batches)
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        if kind is None:
            self._hidden.replace(self.path)
        else:
            self._hidden.unlink(missing_ok=True)
