"""Frames as Arrow and pandas hold tables, with what is known of each column.

Arrow keeps unit, UCD and description in the metadata of its fields, and so does Parquet; pandas has
no place for them but `attrs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from store.columns import Column

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, Column]


def to_arrow(frame: pl.DataFrame, columns: Columns, description: str = "") -> pa.Table:
    """The frame as an Arrow table; text is `string`, which every reader knows."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    fields = [_field(field, columns.get(field.name)) for field in table.schema]
    metadata = {"description": description} if description else None
    return table.cast(pa.schema(fields, metadata=metadata))


def to_pandas(frame: pl.DataFrame, columns: Columns, description: str = "") -> pd.DataFrame:
    """The frame in pandas, of Arrow's types: null stays null, whole numbers stay whole.

    `attrs["columns"]` maps each column to its unit, UCD and description.

    Raises
    ------
    ImportError : pandas is not installed.
    """
    import pandas as pd

    found = to_arrow(frame, columns).to_pandas(types_mapper=pd.ArrowDtype)
    found.attrs["description"] = description
    found.attrs["columns"] = {
        name: {"unit": column.unit, "ucd": column.ucd, "description": column.description}
        for name, column in columns.items()
        if name in frame.columns
    }
    return found


def _field(field: pa.Field, column: Column | None) -> pa.Field:
    kind = pa.string() if pa.types.is_large_string(field.type) else field.type
    said = column.field().metadata if column else None
    return pa.field(field.name, kind, nullable=True, metadata=said)
