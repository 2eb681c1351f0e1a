"""Figures without data, dictionaries that plotly draws: axes, words, colours of a theme."""

from __future__ import annotations

from typing import Any

Figure = dict[str, Any]

# The colours of the report's page: three that are told apart in any eye, lighter on dark.
COLOURS = {
    "light": {
        "zg": "#00795a", "zr": "#c24f00", "zi": "#6a51a3", "?": "#5b6770",
        "ink": "#1f2933", "soft": "#52606d", "grid": "#e3e8ec", "edge": "#7b8794",
        "card": "#ffffff", "link": "#0b5cad", "note": "#b3261e",
    },
    "dark": {
        "zg": "#2fc59b", "zr": "#ff9046", "zi": "#b3a0ea", "?": "#a3b0bc",
        "ink": "#e6ebf0", "soft": "#a3b0bc", "grid": "#2c353e", "edge": "#7b8794",
        "card": "#1b2229", "link": "#7db8f5", "note": "#ff8a80",
    },
}  # fmt: skip
BANDS = ("zg", "zr", "zi", "?")
_FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif'


def colours(theme: str) -> dict[str, str]:
    """Of the theme light or dark; anything else is light."""
    return COLOURS["dark" if theme == "dark" else "light"]


def blank(text: str) -> Figure:
    """A frame with a sentence in it, in a grey that is read on light and on dark."""
    hidden = {"visible": False, "fixedrange": True}
    figure = framed("light", {"xaxis": dict(hidden), "yaxis": dict(hidden)})
    figure["data"] = []
    figure["layout"]["annotations"] = [
        {"text": text, "showarrow": False, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper",
         "font": {"size": 15, "color": colours("light")["edge"]}}
    ]  # fmt: skip
    return figure


def framed(theme: str, axes: dict[str, Any]) -> Figure:
    """A figure without data, its axes and words in the colours of a theme."""
    palette = colours(theme)
    line = {
        "gridcolor": palette["grid"], "linecolor": palette["edge"], "zeroline": False,
        "showline": True, "ticks": "outside", "ticklen": 4, "tickcolor": palette["edge"],
        "automargin": True,
    }  # fmt: skip
    layout: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": palette["ink"]},
        "margin": {"l": 58, "r": 12, "t": 30, "b": 46},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": palette["card"], "bordercolor": palette["edge"], "align": "left",
            "font": {"family": _FONT, "size": 12, "color": palette["ink"]},
        },
        "legend": {
            "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant",
            "bgcolor": "rgba(0,0,0,0)",
            # What is drawn is chosen by the controls, which are in the link: not by the legend.
            "itemclick": False, "itemdoubleclick": False,
        },
        "modebar": {
            "bgcolor": "rgba(0,0,0,0)", "color": palette["edge"], "activecolor": palette["link"],
        },
        "dragmode": "zoom",
    }  # fmt: skip
    for name, axis in axes.items():
        layout[name] = {**line, **axis}
    return {"layout": layout}
