"""Light curves as readers give them: some at a time, their epochs one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.imports.errors import BadValues

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive rows of a file, cut in runs: each is consecutive epochs of one curve.

    A curve has one run, or several in batches or places that do not follow each other.

    Parameters
    ----------
    runs : of each run oid, fid, field, rcid and `n`, its epochs; (n_runs,).
    epochs : columns of `imported_lightcurves`, as its contract has them but floats that are NaN and
        whole numbers that are `NOTHING` are null; (sum of n,).
    """

    runs: Mapping[str, Values]
    epochs: Mapping[str, Values]


class Reader(Protocol):
    """A file of light curves in one form."""

    @property
    def form(self) -> str:
        """What it is, in words."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of epochs that it gives."""

    @property
    def position_type(self) -> str:
        """Type of its positions: float32 or float64."""

    @property
    def hmjd_type(self) -> str:
        """Type of its dates."""

    @property
    def n_curves(self) -> int | None:
        """How many curves it holds, if that can be told before it is read."""

    def batches(self) -> Iterator[Batch]:
        """All of it.

        Raises
        ------
        ingest.imports.errors.RefusedImport : something in it is not as it should be.
        """


def nothing(dtype: np.dtype[Any]) -> int:
    """What stands for null in whole numbers of a type: signed, and its least."""
    return int(np.iinfo(dtype).min)


# Columns of epochs that must be numbers, and what they may be (degrees, magnitudes, days).
_BOUNDS: dict[str, tuple[float, float]] = {
    "objra": (0.0, 360.0),
    "objdec": (-90.0, 90.0),
    "ra": (0.0, 360.0),
    "dec": (-90.0, 90.0),
    "fid": (1, 3),
    "rcid": (0, 63),
    "field": (0, 32_767),
    "oid": (0, 2**62),
    "catflags": (0, 65_535),
}


def check_values(
    path: Path, columns: Mapping[str, tuple[str, Values]], first: int, row: str
) -> None:
    """Refuse values that are not finite or out of range.

    Parameters
    ----------
    columns : of each of ours, the name that the file has for it and its values (n,).
    first : number of the first row.
    row : what the file's rows are called.

    Raises
    ------
    BadValues : names the first.
    """
    for ours, (name, values) in columns.items():
        good = np.ones(len(values), dtype=bool)
        if values.dtype.kind == "f":
            good = np.isfinite(values)
        if ours in _BOUNDS:
            low, high = _BOUNDS[ours]
            good &= (values >= low) & (values <= high)
        if not good.all():
            bad = np.flatnonzero(~good)
            at = int(bad[0])
            raise BadValues(path, name, f"{values[at]}", f"{row} {first + at}", len(bad))
