"""All harnesses at length: `PYTHONPATH=tests python -m torture [HARNESS …] [--share 10]`.

Each writes tests/torture/results/HARNESS.json; docs/guarantees.md shows what all of them found.
With `--share N` a harness does an N-th of its work, but the random kills of the operations in
`OFTEN`. It ends with code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torture import faults, fuzz, kills, page, power, rivals, sabotage
from torture.child import nursery
from torture.scenario import OPERATIONS, Stage, steady

RANDOM_KILLS = 200
# Killed so often at random times whatever the share.
OFTEN = ("night", "replacement", "withdrawal", "compaction")
EXAMPLES, STEPS = 500, 20
ROUNDS = 60

Figures = dict[str, int]
Harness = Callable[[Stage, Path, int], tuple[Figures, list[str]]]


def run_faults(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """Every kind of fault at every step of every operation."""
    count, wrong = faults.run(stage, work, sample=None if share == 1 else 150 // share)
    return {"operations": len(OPERATIONS), "faults injected": count}, wrong


def run_power(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """A loss of power at every step of every operation, with every variant of what is found."""
    count, wrong = power.run_all(stage, work, every=share)
    return {"operations": len(OPERATIONS), "losses of power": count}, wrong


def run_kills(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """SIGKILL at every numbered step, and at random times with one worker and with two."""
    tally = kills.Tally()
    at_steps = 0
    with nursery() as children:
        for name in OPERATIONS:
            steps = kills.spread(faults.steps_of(stage, name, work), None if share == 1 else 8)
            one = kills.kill_at_steps(stage, children, name, steps, work)
            at_steps += one.kills
            tally.add(one)
            for workers, times in ((1, RANDOM_KILLS), (2, RANDOM_KILLS // 10)):
                times = times if name in OFTEN else max(1, times // share)
                tally.add(
                    kills.kill_at_random(
                        stage, children, name, times, work, workers=workers, seed=share
                    )
                )
            print(f"  {name}: {tally.kills} kills, {tally.recoveries} recoveries", flush=True)
    return {
        "operations": len(OPERATIONS),
        "kills": tally.kills,
        "kills at numbered steps": at_steps,
        "ended before their kill": tally.started - tally.kills,
        "recoveries": tally.recoveries,
        "lost rows": tally.lost_rows,
        "doubled rows": tally.doubled_rows,
    }, tally.wrong


def run_rivals(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """A second operation that begins at each step of a first."""
    tried = list(rivals.rivalries(stage, work, every=share))
    return {"pairs of operations": len(rivals.RIVALRIES), "rivalries": len(tried)}, [
        f"{what}: {one}" for what, wrong in tried for one in wrong
    ]


def run_model(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """Random lives of an archive against nights in memory."""
    from hypothesis.stateful import run_state_machine_as_test

    from torture.model import ArchiveMachine, Tried, profile

    wrong = []
    try:
        run_state_machine_as_test(
            ArchiveMachine, settings=profile(EXAMPLES // share, STEPS, random=True)
        )
    except Exception as error:
        wrong.append(f"{error!r} {getattr(error, '__notes__', '')}")
    return {
        "examples": Tried.examples,
        "operations": Tried.operations,
        "kills": Tried.kills,
        "losses of power": Tried.power_losses,
        "snapshots held": Tried.snapshots,
    }, wrong


def run_sabotage(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """The code with each sync, rename and lock left out."""
    missing, noticed, wrong = 0, 0, []
    reached = sabotage.reached(stage, work)
    for site, function in sabotage.places()[::share]:
        if function in sabotage.SPARED:
            continue
        missing += 1
        said = sabotage.noticed(stage, site, reached.get(site, []), work)
        print(f"  without the {site.kind} in {function} ({site.place}): {said[:160]}", flush=True)
        noticed += bool(said)
        if not said:
            wrong.append(f"nobody notices that the {site.kind} in {function} is left out")
    return {"left out, one by one": missing, "noticed": noticed}, wrong


def run_readers(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """Eight readers in threads and processes, one of them LSDB."""
    from torture import readers

    seen = readers.run(
        stage,
        work,
        rounds=max(1, ROUNDS // share),
        threads=["sql", "sql", "files", "files"],
        processes=["sql", "files", "files", "lsdb"],
    )
    return {
        "readers": seen.readers,
        "answers": seen.answers,
        "publications meanwhile": seen.publications,
        "parts of a night seen": len([one for one in seen.wrong if "Error" not in one]),
        "errors": len([one for one in seen.wrong if "Error" in one]),
    }, seen.wrong


def run_fuzz(stage: Stage, work: Path, share: int) -> tuple[Figures, list[str]]:
    """Damaged inputs against astropy, one by one and among sound ones of a night."""
    return fuzz.at_length(work, share)


HARNESSES: dict[str, Harness] = {
    "faults": run_faults,
    "power": run_power,
    "kills": run_kills,
    "rivals": run_rivals,
    "model": run_model,
    "sabotage": run_sabotage,
    "readers": run_readers,
    "fuzz": run_fuzz,
}


def main() -> int:
    """Run harnesses; say and write what came of them."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("harnesses", nargs="*", metavar="HARNESS", help=", ".join(HARNESSES))
    parser.add_argument("--share", type=int, default=1, help="do an N-th of the work")
    options = parser.parse_args()
    failed = False
    for name in options.harnesses or HARNESSES:
        harness = HARNESSES[name]
        print(f"{name}: {harness.__doc__}", flush=True)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, steady():
            figures, wrong = harness(
                Stage(Path(folder, "stage")), Path(folder, "work"), options.share
            )
        for what, count in figures.items():
            print(f"  {what}: {count:,}")
        for one in wrong[:20]:
            print(f"  WRONG: {one}")
        print(f"  wrong: {len(wrong)}", flush=True)
        failed = failed or bool(wrong)
        result: dict[str, Any] = {
            "harness": name,
            "what": (harness.__doc__ or "").strip().rstrip("."),
            "share": options.share,
            "figures": figures | {"wrong": len(wrong)},
            "minutes": round((time.monotonic() - started) / 60, 1),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }
        page.RESULTS.mkdir(exist_ok=True)
        (page.RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    page.write()
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
