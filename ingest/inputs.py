"""Which files make up each night: written for make, so that it rebuilds what changed and no more.

    python -m ingest.inputs ARCHIVE PATH… [--night 2024-01-10]

writes `ARCHIVE/make/20240110.inputs` for each night below the paths: its files, one a line, and
in comments what else a rebuild depends on. A file that would say the same is left untouched.
Files whose night cannot be known go to `unknown.inputs`, so that their refusal is recorded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from ingest.plan import Plan, make_plan
from ingest.version import code_version
from store.atomic import checksum, write_whole
from store.errors import NightlakeError
from store.settings import read_settings

UNKNOWN = "unknown"


def write_inputs(root: Path, paths: Sequence[Path], night: date | None = None) -> list[Path]:
    """Write the lists of files; returns those that changed."""
    plan: Plan = make_plan(paths, read_settings(root), night=night)
    files = {
        f"{one:%Y%m%d}": [image.path for image in images] for one, images in plan.nights.items()
    }
    known = {path for listed in files.values() for path in listed}
    refused = {refusal.input_file: refusal.night for refusal in plan.refusals}
    for path in plan.found:
        if path not in known and path.name in refused:
            its_night = refused[path.name]
            files.setdefault(f"{its_night:%Y%m%d}" if its_night else UNKNOWN, []).append(path)
    folder = root / "make"
    changed = []
    for name, listed in sorted(files.items()):
        content = _content(listed)
        target = folder / f"{name}.inputs"
        if not target.exists() or target.read_bytes() != content:
            write_whole(target, content)
            changed.append(target)
    return changed


def _content(paths: Iterable[Path]) -> bytes:
    absolute = sorted(path.absolute() for path in paths)
    stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in absolute]
    lines = [
        f"# code {code_version()}",
        f"# files {checksum(repr(stamps).encode())}",
        *(str(path) for path in absolute),
    ]
    return ("\n".join(lines) + "\n").encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ingest.inputs", description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--night", type=date.fromisoformat)
    options = parser.parse_args(arguments)
    try:
        changed = write_inputs(options.archive, options.paths, options.night)
    except NightlakeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for path in changed:
        print(f"changed: {path.stem}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
