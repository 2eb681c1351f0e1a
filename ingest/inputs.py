"""Which files make up each night: written for make, so that it rebuilds what changed and no more.

    python -m ingest.inputs ARCHIVE PATH… [--night 2024-01-10] [--metadata FILE] [--prior DIR]

writes `ARCHIVE/make/20240110.inputs` for each night below the paths: its files, one a line, and
in comments what a rebuild depends on: names, sizes and times of the files and of the headers
beside them, the metadata table, the priors that are given, the references of the night's fields,
the code. A file that would say the same is left untouched.
Files whose night cannot be known go to `unknown.inputs`, so that their refusal is recorded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ingest.given_priors import prior_files
from ingest.metadata import sidecars_of
from ingest.metadata_table import MetadataTable
from ingest.plan import Plan, make_plan
from ingest.version import code_version
from store.atomic import checksum, checksum_of, write_whole
from store.errors import NightlakeError
from store.manifest import references_group
from store.settings import read_settings
from store.snapshot import open_snapshot
from store.words import printable

UNKNOWN = "unknown"


def write_inputs(
    root: Path,
    paths: Sequence[Path],
    night: date | None = None,
    metadata: Path | None = None,
    prior: Path | None = None,
) -> list[Path]:
    """Write the lists of files; returns those that changed."""
    listed = list_inputs(root, paths, night, metadata, prior)
    changed = []
    for name, content in listed.items():
        target = root / "make" / f"{name}.inputs"
        if not target.exists() or target.read_bytes() != content:
            write_whole(target, content)
            changed.append(target)
    return changed


def list_inputs(
    root: Path,
    paths: Sequence[Path],
    night: date | None = None,
    metadata: Path | None = None,
    prior: Path | None = None,
) -> dict[str, bytes]:
    """What the list of each night says, by the night's name, 20240110 or `unknown`."""
    table = MetadataTable.read(metadata) if metadata else None
    plan: Plan = make_plan(paths, read_settings(root), table=table, night=night)
    known_by = [f"# code {code_version()}"]
    if metadata:
        known_by.append(f"# metadata {checksum_of(metadata)}")
    if prior:
        headers = [(path.name, checksum_of(path)) for path in prior_files(prior)]
        known_by.append(f"# prior {checksum(repr(headers).encode())}")
    references = open_snapshot(root).groups
    files: dict[str, list[Path]] = {}
    lines: dict[str, list[str]] = {}
    for one, images in plan.nights.items():
        name = f"{one:%Y%m%d}"
        files[name] = [image.path for image in images]
        groups = sorted({references_group(image.facts.field) for image in images})
        lines[name] = [f"# {group} {references.get(group, 'none')}" for group in groups]
    known = {path for listed in files.values() for path in listed}
    refused = {refusal.input_file: refusal.night for refusal in plan.refusals}
    for path in plan.found:
        if path not in known and printable(path.name) in refused:
            its_night = refused[printable(path.name)]
            files.setdefault(f"{its_night:%Y%m%d}" if its_night else UNKNOWN, []).append(path)
    content = {}
    for name, some in sorted(files.items()):
        absolute = sorted(path.absolute() for path in some)
        beside = [file for path in absolute for file in sidecars_of(path)]
        stamps = [_stamp(path) for path in (*absolute, *beside)]
        text = [
            *known_by,
            *lines.get(name, ()),
            f"# files {checksum(repr(stamps).encode())}",
            *(path for path in map(str, absolute) if "\n" not in path),  # a line each
        ]
        content[name] = os.fsencode("\n".join(text) + "\n")
    return content


def _stamp(path: Path) -> tuple[str, int, int]:
    """Name, size and time of a file; zeros where it cannot be seen, such as a dangling link."""
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns


def _list_of(root: Path, night: date) -> Path:
    return root / "make" / f"{night:%Y%m%d}.inputs"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ingest.inputs", description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--night", type=date.fromisoformat)
    parser.add_argument("--metadata", type=Path)
    parser.add_argument("--prior", type=Path)
    options = parser.parse_args(arguments)
    try:
        changed = write_inputs(
            options.archive, options.paths, options.night, options.metadata, options.prior
        )
    except NightlakeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for path in changed:
        print(f"changed: {path.stem}")
    if options.night and not _list_of(options.archive, options.night).exists():
        print(f"{options.night}: no catalogue of this night in {' '.join(map(str, options.paths))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
