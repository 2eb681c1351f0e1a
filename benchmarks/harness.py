"""What every benchmark shares: contenders in turn, ratios with goals, the table and the JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

Contender = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One claim: `value` against `goal`; met when it is at least, or at most, the goal."""

    name: str
    value: float
    goal: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the claim holds in this run."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(slots=True)
class Result:
    """What a benchmark found.

    `figures` are absolute numbers of this machine, for orientation, each with its unit in its
    name; `missing` names peers that are not installed.
    """

    subject: str
    rows: int
    ratios: list[Ratio] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    peak_memory_mb: float = 0.0

    def encode(self) -> str:
        """As JSON."""
        ratios = {
            ratio.name: {
                "value": float(f"{ratio.value:.4g}"),
                "goal": ratio.goal,
                "met": ratio.met,
                "at_most": ratio.at_most,
            }
            for ratio in self.ratios
        }
        document = asdict(self) | {
            "ratios": ratios,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        }
        return json.dumps(document, indent=1) + "\n"


def in_turn(
    contenders: Mapping[str, Contender], rounds: int = 5, *, warm: bool = True
) -> dict[str, list[float]]:
    """Wall seconds of each contender, A B C A B C …: what the machine does hits all alike."""
    if warm:
        for run in contenders.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            os.sync()  # what one has left to be written is not the next one's time
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def times_faster(seconds: Mapping[str, Sequence[float]], ours: str, peer: str) -> float:
    """Median over the rounds of the peer's time over ours, round by round."""
    pairs = zip(seconds[ours], seconds[peer], strict=True)
    return statistics.median(theirs / mine for mine, theirs in pairs)


def own_peak_mb() -> float:
    """Peak resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def options(description: str | None, rows: int) -> argparse.ArgumentParser:
    """The command line that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rows", type=int, default=rows, help=f"default {rows:,}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    return parser


def tell(result: Result, path: Path | None) -> None:
    """Print the result, and write it as JSON where asked."""
    print(f"{result.subject}: {result.rows:,} rows")
    for name, value in result.figures.items():
        print(f"  {name:<52} {value:12,.3f}")
    for ratio in result.ratios:
        sign = "≤" if ratio.at_most else "≥"
        verdict = "met" if ratio.met else "NOT MET"
        print(f"  {ratio.name:<52} {ratio.value:10.3g} (goal {sign} {ratio.goal:g}) {verdict}")
    for name in result.missing:
        print(f"  peer not installed, not compared: {name}")
    print(f"  peak memory {result.peak_memory_mb:,.0f} MB")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(result.encode(), encoding="utf-8")


def played(
    arguments: Sequence[str] | None,
    description: str | None,
    rows: int,
    run: Callable[[int, int], Result],
) -> Result:
    """A benchmark as a command: `run`, of rows and rounds, with its result told."""
    chosen = options(description, rows).parse_args(arguments)
    result = run(chosen.rows, chosen.rounds)
    tell(result, chosen.json)
    return result
