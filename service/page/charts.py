"""The charts of the light-curve page.

A band is told by its colour and, of several fields, by the shape of its points; a point that is
flagged or of a bad image is hollow, an upper limit points down.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.page.figures import BANDS, Figure, blank, colours, framed
from service.page.points import Points
from service.page.state import PageState, span
from transforms.folding import bin_by_phase, phases

Floats = NDArray[np.float64]
_SHAPES = ("circle", "diamond", "square", "cross", "x", "star")
_UNITS = {"mag": "Magnitude (AB)", "flux": "Flux density [µJy]"}


def time_chart(points: Points, state: PageState, theme: str) -> Figure:
    """Magnitude or flux against time."""
    if not len(points):
        return blank("No point is shown")
    label = "HMJD [d]" if state.time == "hmjd" else "MJD, start of exposure [d]"
    traces = _traces(points, points.time, state, theme)
    figure = framed(theme, _curve_axes(points, state, theme, label))
    figure["data"] = traces
    time = points.time
    seen = span(state.tx)
    if seen is None:
        pad = max(0.03 * float(np.ptp(time)), 0.02)
        seen = [float(time.min()) - pad, float(time.max()) + pad]
    figure["layout"]["xaxis"] |= {"tickformat": ".8~f", "nticks": 6, "range": seen}
    _see(figure, "yaxis", state.ty)
    return figure


def folded_chart(points: Points, state: PageState, theme: str) -> Figure:
    """The same against phase, shown twice over; an empty frame without a period."""
    period = state.period_d
    if period is None or not len(points):
        text = "Type a period, or find one" if len(points) else "No point is shown"
        return blank(text)
    epoch = epoch_of(points, state)
    phase = phases(points.time, period, epoch)
    figure = framed(theme, _curve_axes(points, state, theme, f"Phase, P = {state.p.strip()} d"))
    figure["data"] = _traces(points, phase, state, theme, repeat=2)
    n_bins = int(state.bins)
    if n_bins:
        figure["data"] += _binned(points, phase, n_bins, theme)
    figure["layout"]["xaxis"] |= {"range": span(state.fx) or [-0.02, 2.02], "dtick": 0.25}
    figure["layout"]["shapes"] = [
        {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper",
         "line": {"color": colours(theme)["edge"], "width": 1, "dash": "dot"}}
    ]  # fmt: skip
    _see(figure, "yaxis", state.fy)
    return figure


def epoch_of(points: Points, state: PageState) -> float:
    """Where the phase is 0: as typed, or the brightest clean point of the filter with the most."""
    typed = span(f"{state.e},0") if state.e.strip() else None
    if typed is not None:
        return typed[0]
    at = points.clean if points.clean.any() else ~points.limit
    if not at.any():
        return float(points.time[0])
    bands, counts = np.unique(points.band[at], return_counts=True)
    at &= points.band == bands[np.argmax(counts)]
    value = points.value if state.y == "mag" else -points.value
    return float(points.time[at][np.argmin(value[at])])


def _curve_axes(points: Points, state: PageState, theme: str, label: str) -> dict[str, Any]:
    y: dict[str, Any] = {"title": {"text": _UNITS[state.y]}, "nticks": 7}
    limits = _limits(points)
    if limits is not None:
        low, high = limits
        y["range"] = [high, low] if state.y == "mag" else [low, high]
    return {"xaxis": {"title": {"text": label}}, "yaxis": y}


def _limits(points: Points) -> tuple[float, float] | None:
    """The range of what is clean: flagged points may be anything, and do not set it."""
    at = points.clean if points.clean.any() else np.ones(len(points), bool)
    at = at | points.limit
    if not at.any():
        return None
    error = np.nan_to_num(points.error[at])
    error = np.minimum(error, 3 * np.median(error) if error.size else 0)
    low = float((points.value[at] - error).min())
    high = float((points.value[at] + error).max())
    pad = 0.06 * (high - low) or 0.05 * max(abs(high), 1e-3)
    return low - pad, high + pad


def _traces(
    points: Points, x: Floats, state: PageState, theme: str, repeat: int = 1
) -> list[dict[str, Any]]:
    """A trace for each band, field and kind of point; `repeat` shows them again to the right."""
    palette, traces = colours(theme), []
    fields = np.unique(points.field)
    crowd = len(points) * repeat
    size = 8 if crowd < 300 else 6 if crowd < 2000 else 4
    words = np.array(points.words, dtype=object)
    # Where means are drawn, what they are means of steps back.
    faint = repeat > 1 and state.bins != "0"
    for kind in ("limit", "bad", "clean"):
        for band in BANDS:
            for i, field in enumerate(fields):
                at = (points.band == band) & (points.field == field) & getattr(points, kind)
                if not at.any():
                    continue
                colour = palette[band]
                name = band if fields.size == 1 else f"{band}, field {field}"
                trace: dict[str, Any] = {
                    "type": "scatter", "mode": "markers",
                    "name": name if kind == "clean" else f"{name}, {_KINDS[kind]}",
                    "showlegend": kind == "clean",
                    "x": np.concatenate([x[at] + k for k in range(repeat)]).tolist(),
                    "y": np.tile(points.value[at], repeat).tolist(),
                    "hovertext": np.tile(words[at], repeat).tolist(),
                    "hovertemplate": "%{hovertext}<extra></extra>",
                    "opacity": 0.45 if faint else 1.0,
                    "marker": _marker(kind, colour, palette, size, _SHAPES[i % len(_SHAPES)]),
                }  # fmt: skip
                if state.errors and kind != "limit":
                    error = np.nan_to_num(points.error[at])
                    trace["error_y"] = {
                        "type": "data", "array": np.tile(error, repeat).tolist(),
                        "color": colour, "thickness": 1, "width": 0,
                    }  # fmt: skip
                traces.append(trace)
    for kind, name in _KINDS.items():
        if getattr(points, kind).any():
            traces.append(_legend(name, _marker(kind, palette["ink"], palette, 8, "circle")))
    return traces


def _legend(name: str, marker: Figure) -> Figure:
    """A word of the legend for all traces of a kind; plotly asks for a point, be it none."""
    return {"type": "scatter", "mode": "markers", "name": name, "x": [None], "y": [None],
            "marker": marker}  # fmt: skip


_KINDS = {"bad": "flagged or bad image", "limit": "upper limit"}


def _marker(kind: str, colour: str, palette: dict[str, str], size: int, shape: str) -> Figure:
    if kind == "limit":
        return {"symbol": "triangle-down-open", "size": size, "color": colour, "opacity": 0.55}
    if kind == "bad":
        return {"symbol": f"{shape}-open", "size": size, "color": colour}
    line = {"color": palette["card"], "width": 0.6}
    return {"symbol": shape, "size": size, "color": colour, "line": line}


def _binned(points: Points, phase: Floats, n_bins: int, theme: str) -> list[dict[str, Any]]:
    """The mean of each filter within bins of phase."""
    palette, traces = colours(theme), []
    for band in BANDS:
        at = (points.band == band) & points.clean
        if not at.any():
            continue
        bins = bin_by_phase(phase[at], points.value[at], points.error[at], n_bins)
        words = [
            f"<b>{band}  {value:.4g}</b><br>mean of {n} points<br>phase {middle:.3f}"
            for value, n, middle in zip(bins.value, bins.n, bins.phase, strict=True)
        ]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": f"{band}, {n_bins} bins",
                "showlegend": False,
                "x": np.concatenate([bins.phase, bins.phase + 1]).tolist(),
                "y": np.tile(bins.value, 2).tolist(),
                "error_y": {
                    "type": "data", "array": np.tile(np.nan_to_num(bins.error), 2).tolist(),
                    "color": palette["ink"], "thickness": 1.5, "width": 0,
                },
                "hovertext": words * 2, "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": _bin_marker(palette[band], palette),
            }
        )  # fmt: skip
    name = f"mean of 1/{n_bins} phase"
    return [*traces, _legend(name, _bin_marker("rgba(0,0,0,0)", palette))] if traces else []


def _bin_marker(colour: str, palette: dict[str, str]) -> Figure:
    return {"size": 11, "color": colour, "line": {"color": palette["ink"], "width": 1.5}}


def _see(figure: Figure, axis: str, text: str) -> None:
    """Show the part of an axis that the address names."""
    seen = span(text)
    if seen is not None:
        figure["layout"][axis]["range"] = seen
