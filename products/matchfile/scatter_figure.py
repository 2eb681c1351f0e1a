"""The scatter of stars against their magnitude, before and after the relative photometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from products.canvas import new_figure, style
from products.errors import NothingToDrawError
from products.matchfile.build import Match
from transforms.statistics import good_epochs, object_statistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_EPOCHS = 5
BIN_MAG = 0.5
LEAST_IN_BIN = 5
_BEFORE, _AFTER, _MODEL = "#b9bfc4", "#d1342f", "#1f2a30"


def draw_scatter(match: Match, title: str = "") -> Figure:
    """Root mean square of each star's magnitudes, and the error model.

    Parameters
    ----------
    match : its `sourcedata` are drawn, stars with five usable epochs or more.

    Raises
    ------
    NothingToDrawError : there are no such stars.
    """
    level, before, after = _scatter(match)
    if not level.size:
        raise NothingToDrawError(f"no star has {LEAST_EPOCHS} usable epochs")
    with style():
        figure = new_figure(8, 5)
        axes = figure.add_subplot()
        refined = not np.array_equal(before, after)
        if refined:
            axes.plot(level, before, ".", ms=3, color=_BEFORE, label="as calibrated")
        axes.plot(level, after, ".", ms=3, color=_AFTER, label="with relative photometry"
                  if refined else "as calibrated")  # fmt: skip
        for values, colour in ((before, "#6b747a"), (after, "#8f1d19"))[not refined :]:
            axes.plot(*_medians(level, values), "-", lw=1.5, color=colour)
        at = np.linspace(level.min(), level.max(), 200)
        axes.plot(at, match.model.errors(at), "--", lw=1.2, color=_MODEL, label="error model")
        axes.set_yscale("log")
        axes.set_ylim(0.7 * np.percentile(after, 1), 1.5 * np.percentile(before, 99.5))
        axes.set_xlabel("median magnitude")
        axes.set_ylabel("rms of a star's magnitudes [mag]")
        axes.legend(loc="lower right", frameon=False)
        axes.set_title(title)
    return figure


def _scatter(match: Match) -> tuple[NDArray[np.float64], ...]:
    """Median magnitude, and rms without and with what was added, of stars with epochs enough."""
    rows = match.sourcedata
    matchid = rows["matchid"]
    starts = np.append(np.flatnonzero(np.diff(matchid, prepend=-1)), matchid.size)
    added = match.correction[rows["exposure"]]
    good = good_epochs(rows["catflags"])
    made = [
        object_statistics(starts, rows["hjd"], mag, rows["magerr"], good)
        for mag in (rows["mag"] - added, rows["mag"])
    ]
    use = (made[1].ngoodobs >= LEAST_EPOCHS) & (made[0].magrms > 0) & (made[1].magrms > 0)
    return made[1].medianmag[use], made[0].magrms[use], made[1].magrms[use]


def _medians(
    level: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Medians in bins of magnitude that hold enough stars."""
    bins = np.floor(level / BIN_MAG).astype(int)
    full = [k for k in np.unique(bins) if (bins == k).sum() >= LEAST_IN_BIN]
    return [(k + 0.5) * BIN_MAG for k in full], [float(np.median(values[bins == k])) for k in full]
