"""Making matchfiles: one, or those of all channels that changed, several at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from products.errors import StaleChannelError
from products.matchfile.build import Match, build
from products.matchfile.channel import read_inputs
from products.matchfile.channels import Source, channels, sources
from products.matchfile.columns import Channel, Making
from products.matchfile.writer import write_match
from products.outputs import write_output
from queries.connection import Session
from store.errors import NightlakeError
from store.executor import Executor
from store.snapshot import Snapshot

# (done, total, of what)
Progress = Callable[[int, int, str], None]
# What the files of a folder were made from; without it all are made again.
LEDGER = ".matchfiles.json"


@dataclass(frozen=True, slots=True)
class Written:
    """One matchfile: where it is, and how many rows its tables have."""

    path: Path
    exposures: int
    sources: int
    detections: int
    transients: int
    bytes: int


@dataclass(frozen=True, slots=True)
class MatchfilesReport:
    """What was done: files written, files that were right already, channels that were refused."""

    written: tuple[Written, ...]
    unchanged: int
    refused: tuple[NightlakeError, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Task:
    snapshot: Snapshot
    source: Source
    making: Making
    out: Path


def make_matchfile(
    session: Session, channel: Channel, out: Path, making: Making, plot: Path | None = None
) -> Written:
    """Write the matchfile of one channel below the folder `out`.

    Parameters
    ----------
    plot : where the scatter of its stars is drawn, if anywhere (see `products.canvas.prepare`).

    Raises
    ------
    UnknownChannelError : the archive has no such channel.
    StaleChannelError : its images were matched to a reference catalogue that was replaced.
    UnwritableOutputError : the file cannot be written; nothing is left of it.
    """
    match = match_of(session, channel, making)
    if plot is not None:
        from products.canvas import save
        from products.matchfile.scatter_figure import draw_scatter

        save(draw_scatter(match, f"{channel.part}: {match.exposures.size} exposures"), plot)
    return _written(match, out, making.compress)


def match_of(session: Session, channel: Channel, making: Making) -> Match:
    """The tables of one channel's matchfile; see `make_matchfile`."""
    [source] = sources(session, [channel], making)
    return _match(_Task(session.snapshot, source, making, Path()))


def write_imported(
    session: Session, channel: Channel, out: Path, collection: str, compress: str | None = None
) -> Written:
    """Write a matchfile that was imported below the folder `out`, as it was.

    Raises
    ------
    UnknownChannelError : the collection has no matchfile of that channel.
    UnwritableOutputError : the file cannot be written; nothing is left of it.
    """
    from products.matchfile.imported import imported_match

    match = imported_match(session, channel, collection)
    return _written(match, out, compress)


def make_matchfiles(
    session: Session,
    out: Path,
    making: Making,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> MatchfilesReport:
    """Write the matchfiles of all channels below the folder `out`, but for those that are right.

    Raises
    ------
    UnwritableOutputError : a file cannot be written; those before it are there.
    """
    clock = time.monotonic()
    ledger = _Ledger(out)
    ready: list[Source] = []
    refused: list[NightlakeError] = []
    for source in _all_sources(session, making):
        if isinstance(source, NightlakeError):
            refused.append(source)
        else:
            ready.append(source)
    tasks = [
        _Task(session.snapshot, source, making, out) for source in ready if not ledger.holds(source)
    ]
    written: dict[int, Written] = {}
    with Executor(workers if len(tasks) > 1 else 1, ready="products.matchfile.ready") as executor:
        for position, made in executor.run(_make, tasks):
            written[position] = made
            ledger.note(tasks[position].source, made)
            if progress:
                progress(len(written), len(tasks), "matchfiles")
    return MatchfilesReport(
        tuple(written[k] for k in range(len(tasks))),
        len(ready) - len(tasks),
        tuple(refused),
        time.monotonic() - clock,
    )


def _all_sources(session: Session, making: Making) -> Sequence[Source | NightlakeError]:
    """Each channel's source, or why it has none."""
    listed = channels(session)
    if not listed:
        return []
    try:
        return sources(session, listed, making)
    except StaleChannelError:
        # Rare: find out which, one by one.
        return [_source_or_error(session, channel, making) for channel in listed]


def _source_or_error(session: Session, channel: Channel, making: Making) -> Source | NightlakeError:
    try:
        return sources(session, [channel], making)[0]
    except StaleChannelError as error:
        return error


def _make(task: _Task) -> Written:
    # The ledger will vouch for it by its size alone.
    return _written(_match(task), task.out, task.making.compress, lasting=True)


def _match(task: _Task) -> Match:
    source = task.source
    inputs = read_inputs(
        task.snapshot,
        source.channel,
        source.images,
        reference_magzp=_number(source.reference["magzp"]),
        reference_magzpunc=_number(source.reference["magzpunc"]),
        matched=_published(task.snapshot),
    )
    return build(inputs, task.making)


def _written(match: Match, out: Path, compress: str | None, *, lasting: bool = False) -> Written:
    path = out / match.channel.path
    write_match(match, path, compress, lasting=lasting)
    return Written(
        path,
        match.exposures.size,
        match.sources.size,
        match.sourcedata["matchid"].size,
        match.transients.size,
        path.stat().st_size,
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _published(snapshot: Snapshot) -> str:
    """When the state was published, as the real files spell times: UTC, without a zone."""
    moment = datetime.fromisoformat(snapshot.record["published"])
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


class _Ledger:
    """Which recipe each file of a folder was made by."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._made: dict[str, list[Any]] = {}
        with suppress(OSError, ValueError):
            made = json.loads((out / LEDGER).read_text(encoding="utf-8"))
            if isinstance(made, dict):
                self._made = made

    def holds(self, source: Source) -> bool:
        """Whether the file of a channel is there, and right."""
        path = source.channel.path
        try:
            size = (self._out / path).stat().st_size
        except OSError:
            return False
        return self._made.get(path) == [source.recipe, size]

    def note(self, source: Source, made: Written) -> None:
        """Remember what a file was made by."""
        self._made[source.channel.path] = [source.recipe, made.bytes]
        text = json.dumps(self._made, indent=1, sort_keys=True)
        write_output(f"{text}\n".encode(), self._out / LEDGER)
