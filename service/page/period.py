"""The period of a star: looked for in its points, drawn, and its peaks listed."""

from __future__ import annotations

import math

from dash import html

from products.periodogram import Peak, Periodogram, Photometry, envelope
from service.page.figures import Figure, colours, framed
from service.page.points import Points
from service.page.tables import period_button, table, tag

_TICKS_D = tuple(step * 10.0**power for power in range(-3, 5) for step in (1, 3))


def photometry(points: Points) -> Photometry:
    """The points that a period is looked for in: measured, and not flagged."""
    at = points.clean
    return Photometry(points.time[at], points.value[at], points.error[at], points.band[at])


def spelled(peak: Peak, baseline_d: float) -> str:
    """A period with the digits that mean something: 1/10,000 of a cycle over all of the time."""
    step_d = 1e-4 * peak.period_d**2 / baseline_d
    return f"{peak.period_d:.{max(0, math.ceil(-math.log10(step_d)))}f}"


def periodogram_chart(found: Periodogram, peaks: list[Peak], theme: str) -> Figure:
    """Power against period, on a logarithmic axis, its peaks numbered."""
    palette = colours(theme)
    frequency, power = envelope(found, 1500)
    axes = {
        "xaxis": {
            "type": "log",
            "title": {"text": "Period [d]"},
            "tickvals": list(_TICKS_D),
            "ticktext": [f"{tick:g}" for tick in _TICKS_D],
        },
        "yaxis": {"title": {"text": "Power"}, "rangemode": "tozero", "nticks": 5},
    }
    figure = framed(theme, axes)
    figure["data"] = [
        {
            "type": "scatter", "mode": "lines", "x": (1 / frequency).tolist(),
            "y": power.tolist(), "line": {"color": palette["soft"], "width": 1},
            "hovertemplate": "%{x:.6g} d, power %{y:.3f}<extra></extra>", "name": "power",
        },
        {
            "type": "scatter", "mode": "markers+text",
            "x": [float(peak.period_d) for peak in peaks],
            "y": [float(peak.power) for peak in peaks],
            "text": [str(i + 1) for i in range(len(peaks))], "textposition": "top center",
            "marker": {
                "size": 8,
                "color": [palette["link" if peak.relation is None else "edge"] for peak in peaks],
            },
            "hovertext": [peak_words(peak) for peak in peaks],
            "hovertemplate": "%{hovertext}<extra></extra>", "name": "peaks",
        },
    ]  # fmt: skip
    figure["layout"] |= {"showlegend": False, "hovermode": "closest"}
    figure["layout"]["yaxis"]["range"] = [0, float(power.max()) * 1.15]
    return figure


def peak_words(peak: Peak) -> str:
    """A peak in words, for whoever points at it."""
    told = f"{peak.period_d:.8g} d, power {peak.power:.3f}"
    return f"{told}; {peak.relation.text}" if peak.relation else told


def peak_table(peaks: list[Peak], baseline_d: float) -> html.Div:
    """The peaks, each with a button that folds by it."""
    rows = [
        [
            i + 1,
            period_button(spelled(peak, baseline_d)),
            f"{peak.power:.3f}",
            tag(peak.relation.text, peak.relation.kind, _RELATIONS[peak.relation.kind])
            if peak.relation else "",
        ]
        for i, peak in enumerate(peaks)
    ]  # fmt: skip
    return table(("", "period [d]", "power", "of the first"), rows, "Peaks", words=(3,))


_RELATIONS = {
    "harmonic": "A multiple or a part of the strongest period",
    "alias": "What observing night by night makes of the strongest period",
    "day": "The rhythm of the nights themselves",
}
