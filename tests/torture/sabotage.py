"""The code with one sync, rename or lock left out: one of the harnesses must notice.

A place for which nothing fails is either not needed, or the harness has a hole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from store.errors import NightlakeError
from torture.edge import REPO, Edge, Site, copied, installed
from torture.power import VARIANTS, changes_of, lose_power, record
from torture.rivals import rivalries
from torture.scenario import OPERATIONS, Stage

_KINDS = {
    "write_file": "fsync",
    "sync": "fsync",
    "sync_folder": "fsync",
    "make_lasting_folder": "fsync",
    "rename": "rename",
    "lock": "lock",
    "locked": "lock",
    "staged": "lock",
}
_ENTERED = (ast.With, ast.withitem)
_NOT_A_PLACE = {"store/disk.py", "store/locks.py"}
# What is left out there is not a guarantee of the archive: why, by place's function.
SPARED = {
    "store/migrate.py:migrate": "its kills and rivals are in tests/test_store/test_migrate.py",
}
RESUMED_EVERY = 7


def places() -> list[tuple[Site, str]]:
    """Every sync, rename and lock of the store and the ingest, and the function it stands in."""
    found = []
    for package in ("store", "ingest"):
        for path in sorted((REPO / package).glob("*.py")):
            name = str(path.relative_to(REPO))
            if name not in _NOT_A_PLACE:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found += [
                    (Site(kind, f"{name}:{line}"), f"{name}:{function}")
                    for kind, line, function in _calls(tree, "")
                ]
    return found


def _calls(node: ast.AST, function: str, line: int = 0) -> Iterator[tuple[str, int, str]]:
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, ast.FunctionDef) else function
        if isinstance(child, ast.Call):
            called = child.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            of_disk = getattr(getattr(called, "value", None), "id", "") == "disk"
            if name in _KINDS and (of_disk or name in ("sync", "locked", "staged")):
                yield _KINDS[name], line or child.lineno, function
        # What a `with` enters runs at the line of the word.
        entered = child.lineno if isinstance(child, ast.With) else line
        yield from _calls(child, inside, entered if isinstance(child, _ENTERED) else 0)


def reached(stage: Stage, work: Path) -> dict[Site, list[str]]:
    """The operations that come by each place."""
    found: dict[Site, list[str]] = {}
    for name, operation in OPERATIONS.items():
        root = copied(stage.before(operation), work / "archive")
        with installed(Edge()) as edge:
            operation.run(root, stage.raw, 1)
        for site in edge.reached:
            found.setdefault(site, []).append(name)
    return found


def noticed(stage: Stage, site: Site, names: list[str], work: Path) -> str:
    """What a harness says of the code without the call at `site`; nothing if none notices."""
    if site.kind == "lock":
        for every in (37, 7, 1):
            for what, wrong in rivalries(stage, work, without=site, every=every):
                if wrong:
                    return f"{what}: {wrong[0]}"
        return ""
    # Vacuum is to settle what a killed process made current, before it takes what was.
    ways = [(name, False) for name in names] + [("vacuum", True)] * ("vacuum" in names)
    for name, unsettled in ways:
        run = record(stage, name, work, without=site, unsettled=unsettled)
        if run.error is not None:
            return f"{name}: {run.error}"
        changes = changes_of(run)
        # What is found is looked at first, for it is soonest told; then whether it goes on.
        for resume, step in ((False, 1), (True, RESUMED_EVERY)):
            for number, at in enumerate([changes[-1], *changes[:-1:step]]):
                for variant in VARIANTS if not resume else [VARIANTS[number % len(VARIANTS)]]:
                    try:
                        wrong = lose_power(run, at, variant, work, resume=resume)
                    except (NightlakeError, OSError) as error:
                        wrong = [repr(error)]
                    if wrong:
                        return f"{name} at {at} of {changes[-1]}, {variant}: {wrong[0]}"
    return ""
