"""`docs/performance.md`: every goal as a row, from the results that the benchmarks wrote.

    python -m benchmarks.page

reads benchmarks/results/*.json, and writes the page and its plots.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
RESULTS = REPO / "benchmarks" / "results"
PAGE = REPO / "docs" / "performance.md"
PLOT = REPO / "docs" / "images" / "scaling.png"
START, END = "<!-- results: made by python -m benchmarks.page -->", "<!-- end of results -->"

STAGES = "stages"

Document = dict[str, Any]


def main() -> None:
    """Write the tables and the plot."""
    documents = read_results(RESULTS)
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(START)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{START}\n\n{tables(documents)}\n{END}{tail}", encoding="utf-8")
    draw(scaling(documents), PLOT)
    print(f"{PAGE.relative_to(REPO)}: {len(documents)} results")


def read_results(folder: Path) -> list[Document]:
    """Every result, by subject and rows."""
    documents = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    ]
    return sorted(documents, key=lambda document: (document["subject"], document["rows"]))


def tables(documents: list[Document]) -> str:
    """Goals, then figures, Markdown."""
    lines = [
        "### Goals",
        "",
        "| subject | rows | what | found | goal | met |",
        "|---|---|---|---|---|---|",
    ]
    for document in documents:
        for name, ratio in document["ratios"].items():
            sign = "≤" if ratio["at_most"] else "≥"
            met = "yes" if ratio["met"] else "**no**"
            lines.append(
                f"| {document['subject']} | {document['rows']:,} | {name} | {ratio['value']:.3g} "
                f"| {sign} {ratio['goal']:g} | {met} |"
            )
    lines += _stages([d for d in documents if d["subject"] == STAGES])
    lines += ["", "### Figures of that machine", "", "| subject | rows | figure | value |"]
    lines.append("|---|---|---|---|")
    for document in documents:
        if document["subject"] == STAGES:
            continue
        for name, value in document["figures"].items():
            lines.append(
                f"| {document['subject']} | {document['rows']:,} | {name} | {value:,.4g} |"
            )
    lines += ["", "### Runs", "", "| subject | rows | date | machine | peak memory, MB | missing |"]
    lines.append("|---|---|---|---|---|---|")
    for document in documents:
        missing = ", ".join(document["missing"]) or "–"
        lines.append(
            f"| {document['subject']} | {document['rows']:,} | {document['date']} "
            f"| {document['machine']} | {document['peak_memory_mb']:,.0f} | {missing} |"
        )
    return "\n".join(lines) + "\n"


def _stages(documents: list[Document]) -> list[str]:
    """Where the time of an ingest goes, the largest part first, then the limits."""
    lines = []
    for document in documents:
        figures = document["figures"]
        whole = figures["all stages, ns a row"]
        stages = {name: value for name, value in figures.items() if "limit" not in name}
        limits = {name: value for name, value in figures.items() if name not in stages}
        lines += ["", f"### Where the time goes: one process, {document['rows']:,} rows", ""]
        lines += ["| stage | value | of all |", "|---|---|---|"]
        for name, value in sorted(stages.items(), key=lambda one: -one[1]):
            part = f"{value / whole:.0%}" if "ns a row" in name else ""
            lines.append(f"| {name} | {value:,.3g} | {part} |")
        lines += [f"| {name} | {value:,.3g} | |" for name, value in limits.items()]
    return lines


def scaling(documents: list[Document]) -> list[tuple[int, float, float]]:
    """Rows of the night, rows a second and peak memory (MB) of each run of the whole way."""
    return sorted(
        (
            document["rows"],
            document["figures"]["rows a second"],
            document["peak_memory_mb"],
        )
        for document in documents
        if "rows a second" in document["figures"]
    )


def draw(points: list[tuple[int, float, float]], path: Path) -> None:
    """Speed and memory against the size of the night."""
    from matplotlib.figure import Figure

    if not points:
        return
    rows, speed, memory = zip(*points, strict=True)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(rows, [value / 1e6 for value in speed], "o-", color="#2a7f62")
    left.set(xlabel="rows of the night", ylabel="million rows a second", xscale="log")
    left.set_ylim(0, 1.15 * max(speed) / 1e6)
    right.plot(rows, memory, "o-", color="#b5483a")
    right.axhline(2048, color="#7b8794", lw=0.8, ls="--")
    right.annotate("goal: 2 GiB", (rows[0], 2048), xytext=(0, 4), textcoords="offset points")
    right.set(xlabel="rows of the night", ylabel="peak PSS of all processes, MB", xscale="log")
    right.set_ylim(0, 1.2 * max(2048, *memory))
    for axes in (left, right):
        axes.grid(color="#d9dee3", lw=0.6)
    figure.savefig(path, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
