"""What was published, when and why; and which publication is meant by a number or a date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from store.errors import UnknownPublicationError
from store.layout import FORMAT_VERSION
from store.snapshot import Snapshot, open_snapshot

AsOf = int | date | datetime | str


@dataclass(frozen=True, slots=True)
class Publication:
    """One state of the archive that is still there.

    `came`, `changed` and `went` are the groups in which it differs from the one before it; None
    if that one is no longer there, so that nobody knows. `detections` counts rows.
    """

    number: int
    published: datetime
    current: bool
    detections: int
    reason: str
    came: tuple[str, ...] | None
    changed: tuple[str, ...] | None
    went: tuple[str, ...] | None
    partition_version: int
    format: int


def publications(root: Path) -> list[Snapshot]:
    """The publications that are there, first to last; the last one is current.

    What is unfinished, or was never made current because its process died, is none.
    """
    current = open_snapshot(root)
    numbers = sorted(
        int(folder.name)
        for folder in current.layout.publications.iterdir()
        if re.fullmatch(r"\d{6,}", folder.name) and (folder / "publication.json").is_file()
    )
    return [Snapshot(current.layout, number) for number in numbers if number <= current.number]


def history(root: Path) -> list[Publication]:
    """Every publication that is still there, first to last.

    Raises
    ------
    DamagedArchiveError : the record of one cannot be read.
    """
    return list(_told(publications(root)))


def _told(snapshots: list[Snapshot]) -> Iterator[Publication]:
    known = {snapshot.number: snapshot.groups for snapshot in snapshots}
    for snapshot in snapshots:
        groups, before = snapshot.groups, known.get(snapshot.number - 1)
        if snapshot.number == 0:
            before = {}
        told = before is not None
        before = before or {}
        came = tuple(group for group in groups if group not in before)
        changed = tuple(g for g, digest in groups.items() if g in before and before[g] != digest)
        went = tuple(group for group in before if group not in groups)
        yield Publication(
            number=snapshot.number,
            published=published(snapshot),
            current=snapshot is snapshots[-1],
            detections=snapshot.rows("detections"),
            reason=snapshot.record["reason"],
            came=came if told else None,
            changed=changed if told else None,
            went=went if told else None,
            partition_version=snapshot.record["partition"]["version"],
            format=snapshot.record["format"],
        )


def published(snapshot: Snapshot) -> datetime:
    """When it was made, UTC, to the second."""
    return datetime.fromisoformat(snapshot.record["published"])


def find_publication(root: Path, as_of: AsOf) -> Snapshot:
    """The publication of a number, or the one that was current at a time.

    Parameters
    ----------
    as_of : a publication's number; a date, of which the end is meant; or a time; UTC unless it
        says otherwise. As text: 7, 2026-11-22, 2026-11-22T13:50.

    Raises
    ------
    UnknownPublicationError : it is not there, or is of an older format; the error says what is.
    ValueError : the text is none of these.
    """
    wanted = parse_as_of(as_of) if isinstance(as_of, str) else as_of
    there = publications(root)
    if isinstance(wanted, int):
        found = _by_number(root, there, wanted)
    else:
        found = _by_time(root, there, _end(wanted))
    if not _readable(found):
        what = f"publication {found.number} was published before `migrate` and cannot be read"
        raise UnknownPublicationError(what, where=root, hint=_available(there))
    return found


def parse_as_of(text: str) -> int | date | datetime:
    """What a text means by a publication.

    Raises
    ------
    ValueError : nothing.
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no publication: write its number, a date or a time (ISO 8601, UTC)"
        raise ValueError(message) from None


def _end(wanted: date | datetime) -> datetime:
    """The last second that is meant."""
    if not isinstance(wanted, datetime):
        return datetime.combine(wanted, time.max, UTC)
    return wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)


def _by_number(root: Path, there: list[Snapshot], number: int) -> Snapshot:
    for snapshot in there:
        if snapshot.number == number:
            return snapshot
    gone = 0 <= number < there[-1].number
    what = f"publication {number} " + ("is no longer there" if gone else "has never been there")
    raise UnknownPublicationError(what, where=root, hint=_available(there))


def _by_time(root: Path, there: list[Snapshot], end: datetime) -> Snapshot:
    before = [snapshot for snapshot in there if published(snapshot) <= end]
    if before:
        last = before[-1]
        # The next one was published later than `end`, or else may be one that is gone.
        after = there[len(before) : len(before) + 1]
        if not after or after[0].number == last.number + 1:
            return last
    when = end.astimezone(UTC).isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
    first = there[0].number == 0 and not before
    what = "nothing was published yet" if first else "what was published then is no longer there"
    raise UnknownPublicationError(f"{when} UTC: {what}", where=root, hint=_available(there))


def _readable(snapshot: Snapshot) -> bool:
    return bool(snapshot.record["format"] == FORMAT_VERSION)


def _available(there: list[Snapshot]) -> str:
    """The publications that can be read, in words."""
    there = [snapshot for snapshot in there if _readable(snapshot)]
    runs: list[list[int]] = []
    for snapshot in there:
        if runs and runs[-1][-1] == snapshot.number - 1:
            runs[-1].append(snapshot.number)
        else:
            runs.append([snapshot.number])
    numbers = ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)
    times = [f"{published(snapshot):%Y-%m-%d %H:%M}" for snapshot in (there[0], there[-1])]
    span = " to ".join(dict.fromkeys(times))
    return f"There {'are' if len(there) > 1 else 'is'} {numbers} ({span} UTC)."


def superseded(snapshots: Sequence[Snapshot]) -> list[datetime | None]:
    """When each ceased to be current, at the latest; None for the last, which still is."""
    return [*(published(after) for after in snapshots[1:]), None]
