"""The figures in docs/guarantees.md, from what the harnesses wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")
PAGE = REPO / "docs" / "guarantees.md"
START, END = "<!-- figures: written by make torture -->", "<!-- end of figures -->"


def write() -> None:
    """Put the figures between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(START)
    tail = rest.split(END)[1]
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    PAGE.write_text(f"{head}{START}\n\n{table(results)}\n{END}{tail}", encoding="utf-8")


def table(results: list[dict[str, Any]]) -> str:
    """A row a harness, Markdown."""
    lines = ["| harness | what | figures | date, minutes |", "|---|---|---|---|"]
    for result in results:
        figures = ", ".join(f"{count:,} {what}" for what, count in result["figures"].items())
        what = result["what"]
        if result["share"] > 1:
            what += f" (one in {result['share']})"
        lines.append(
            f"| {result['harness']} | {what} | {figures} | {result['date']}, {result['minutes']} |"
        )
    return "\n".join(lines) + "\n"
