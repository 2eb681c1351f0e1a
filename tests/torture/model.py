"""Random lives of an archive, held against nights in memory.

Images are ingested, replaced, compacted and withdrawn, processes are killed and power is lost at
random steps, and readers look at what they opened. The model is a dictionary: night → image →
version of its file. After trouble each night that was touched is as before or as after, never
between.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from catalogues import scatter, write_psfcat, write_refpsfcat
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingest.compact import compact
from ingest.pipeline import ingest
from ingest.references import add_references
from ingest.withdraw import withdraw
from store.hold import Hold
from store.manifest import night_group
from store.publication import create_archive, republish
from store.settings import ArchiveSettings
from store.snapshot import Snapshot, open_snapshot
from store.vacuum import vacuum
from store.verify import verify
from torture.edge import Edge, Killed, copied, installed, kill_at
from torture.power import VARIANTS, Disk, read_tree
from torture.scenario import another_start, steady

NIGHTS = [date(2024, 1, 10) + timedelta(days=i) for i in range(3)]
CCDS = (7, 8)
VERSIONS = (0, 1)
OBSMJD = 60319.3
ROWS = (3, 4)  # of each version

Night = dict[int, int]
Found = Counter[tuple[int, int]]


class Given(NamedTuple):
    """One file: a version of the image that a CCD made in a night."""

    night: int
    ccd: int
    version: int


class Trouble(NamedTuple):
    """What happens at a step of an operation: a kill, or, by its variant, a loss of power."""

    step: int
    variant: str | None


class Tried:
    """What has been tried, over all examples."""

    examples = operations = kills = power_losses = snapshots = 0


@cache
def inputs() -> Path:
    """The folder of all files, made once."""
    folder = Path(tempfile.mkdtemp(prefix="torture-model-"))
    rng = np.random.default_rng(7)
    for ccd, ra in zip(CCDS, (150.0, 152.5), strict=True):
        places = scatter(rng, max(ROWS), ra=ra)
        write_refpsfcat(folder / "references", *places, ccdid=ccd)
        for night in range(len(NIGHTS)):
            for version in VERSIONS:
                n = ROWS[version]
                write_psfcat(
                    folder_of(folder, Given(night, ccd, version)),
                    *(values[:n] for values in places),
                    ccdid=ccd,
                    obsmjd=OBSMJD + night,
                    sourceid=100 * version + np.arange(n),
                )
    with steady():
        create_archive(folder / "archive", ArchiveSettings(name="model"))
        add_references(folder / "archive", [folder / "references"], workers=1)
    return folder


def folder_of(top: Path, given: Given) -> Path:
    """The folder of one file."""
    return top / f"{given.night}-{given.ccd}-{given.version}"


def rows_of(night: Night) -> Found:
    """The rows of a night of the model: (rcid, sourceid)."""
    return Counter(
        (4 * (ccd - 1) + 3, 100 * version + i)
        for ccd, version in night.items()
        for i in range(ROWS[version])
    )


def rows_in(snapshot: Snapshot) -> dict[int, Found]:
    """The rows of each night of an archive."""
    found: dict[int, Found] = {i: Counter() for i in range(len(NIGHTS))}
    files = snapshot.files("detections")
    if files:
        frame = pl.read_parquet(files, columns=["night", "rcid", "sourceid"])
        for night, *row in frame.iter_rows():
            found[NIGHTS.index(night)][tuple(row)] += 1
    return found


TROUBLE = st.none() | st.builds(Trouble, st.integers(1, 260), st.none() | st.sampled_from(VARIANTS))
GIVEN = st.builds(
    Given, st.integers(0, len(NIGHTS) - 1), st.sampled_from(CCDS), st.sampled_from(VERSIONS)
)


class ArchiveMachine(RuleBasedStateMachine):
    """An archive, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        Tried.examples += 1
        self.folder = Path(tempfile.mkdtemp(prefix="torture-life-"))
        self.held = ExitStack()
        self.life = self.held.enter_context(ExitStack())
        self.held.enter_context(steady())
        self.nights: dict[int, Night] = {i: {} for i in range(len(NIGHTS))}
        self.readers: list[tuple[Hold, dict[int, Found]]] = []
        self.starts = 0
        self.compacted = False

    @initialize()
    def begin(self) -> None:
        copied(inputs() / "archive", self.folder / "0" / "archive")
        self.start(self.folder / "0")

    def start(self, top: Path) -> None:
        """The machine is on: the disk is as it is found, and all of it lasts."""
        self.life.close()
        self.top, self.root = top, top / "archive"
        self.edge = Edge()
        self.life.enter_context(installed(self.edge))
        self.disk = Disk(top, read_tree(top))
        if self.starts:
            self.life.enter_context(another_start())
        self.starts += 1

    def do(self, operation, after: dict[int, Night], trouble: Trouble | None) -> None:
        """Run an operation after which some nights are others; there may be trouble in it."""
        Tried.operations += 1
        self.edge.steps = 0
        if trouble is not None:
            self.edge.before = kill_at(trouble.step)
        try:
            operation()
        except Killed:
            self.edge.before = None
            if trouble is not None and trouble.variant is not None:
                self.lose_power(trouble.variant)
            else:
                Tried.kills += 1
            found = rows_in(open_snapshot(self.root))
            after = {i: night for i, night in after.items() if found[i] == rows_of(night)}
        finally:
            self.edge.before = None
        self.nights |= after

    def lose_power(self, variant: str) -> None:
        """What was synced is there when power is back; all that ran is gone."""
        Tried.power_losses += 1
        self.close_readers()
        self.disk.apply(self.edge.log)
        top = self.folder / str(self.starts)
        self.disk.write(top, variant, self.starts)
        self.start(top)

    def close_readers(self) -> None:
        for hold, _ in self.readers:
            hold.release()
        self.readers.clear()

    @rule(files=st.lists(GIVEN, min_size=1, max_size=3, unique_by=lambda g: g[:2]), trouble=TROUBLE)
    def ingest(self, files: list[Given], trouble: Trouble | None) -> None:
        paths = [folder_of(inputs(), given) for given in files]
        after = {given.night: dict(self.nights[given.night]) for given in files}
        for given in files:
            after[given.night][given.ccd] = given.version
        self.do(lambda: ingest(self.root, paths, workers=1), after, trouble)

    @precondition(lambda self: any(self.nights.values()))
    @rule(data=st.data(), trouble=TROUBLE)
    def withdraw(self, data: st.DataObject, trouble: Trouble | None) -> None:
        there = [i for i, night in self.nights.items() if night]
        night = data.draw(st.sampled_from(there))
        self.do(lambda: withdraw(self.root, [NIGHTS[night]], workers=1), {night: {}}, trouble)

    @precondition(lambda self: any(self.nights.values()))
    @rule(nights=st.lists(st.sampled_from(NIGHTS), max_size=2), trouble=TROUBLE)
    def compact(self, nights: list[date], trouble: Trouble | None) -> None:
        nights.append(next(NIGHTS[i] for i, night in self.nights.items() if night))
        period = {"first": min(nights), "last": max(nights)}
        self.compacted = True
        self.do(lambda: compact(self.root, **period, max_rows=6, workers=1), {}, trouble)

    @rule(trouble=TROUBLE)
    def repair(self, trouble: Trouble | None) -> None:
        self.do(lambda: republish(self.root), {}, trouble)

    @rule(trouble=TROUBLE)
    def vacuum(self, trouble: Trouble | None) -> None:
        self.do(lambda: vacuum(self.root, older_than_days=0), {}, trouble)

    @rule(variant=st.sampled_from(VARIANTS))
    def power_is_lost(self, variant: str) -> None:
        self.lose_power(variant)

    @rule()
    def open_a_reader(self) -> None:
        Tried.snapshots += 1
        hold = Hold(open_snapshot(self.root))
        self.readers.append((hold, rows_in(hold.snapshot)))

    @precondition(lambda self: self.readers)
    @rule()
    def close_a_reader(self) -> None:
        self.readers.pop(0)[0].release()

    @invariant()
    def the_archive_is_sound_and_holds_what_the_model_holds(self) -> None:
        if self.starts:
            assert verify(self.root) == []
            wanted = {i: rows_of(night) for i, night in self.nights.items()}
            assert rows_in(open_snapshot(self.root)) == wanted

    @invariant()
    def readers_see_what_they_saw(self) -> None:
        for hold, seen in self.readers:
            assert rows_in(hold.snapshot) == seen

    def teardown(self) -> None:
        try:
            if self.starts:
                self.close_readers()
                self.compare_with_one_ingest()
        finally:
            self.held.close()
            shutil.rmtree(self.folder)

    def compare_with_one_ingest(self) -> None:
        """Whatever happened, the nights' files are those of one ingest of what is there.

        Once something was compacted, detections stand in other files: their rows are compared.
        """
        files = [
            folder_of(inputs(), Given(i, ccd, version))
            for i, night in self.nights.items()
            for ccd, version in night.items()
        ]
        once = copied(inputs() / "archive", self.folder / "once")
        if files:
            ingest(once, files, workers=1)
        wanted, found = open_snapshot(once), open_snapshot(self.root)
        for group in map(night_group, NIGHTS):
            if not self.compacted:
                assert found.groups.get(group) == wanted.groups.get(group)
            small = [
                [entry for entry in one.manifest(group).files if entry.pixel is None]
                for one in (found, wanted)
            ]
            assert small[0] == small[1]


def profile(examples: int, steps: int, *, random: bool) -> settings:
    """How many lives, of how many operations each; the same ones every time, or random ones."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not random,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
