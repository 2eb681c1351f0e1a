"""The same rows whichever files hold them: light curves as built, nights, periods, or some of each.

Archives of random histories are asked for everything, and held to polars on all detections.
"""

import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import hpgeom
import numpy as np
import polars as pl
import pytest
from archives import FIRST_NIGHT, Channel, cluster, night_files, nightly
from archives import reference_files as write_reference
from bruteforce import all_rows, curve_in_cone, curve_of, separation_arcsec
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.compact import compact
from ingest.withdraw import withdraw
from products.lightcurves.job import build
from queries.curves import answer, pieces, reader
from queries.curves.cache import ByteCache
from queries.curves.columns import SHOWN
from queries.curves.reader import CurveReader
from queries.errors import UnknownObjectError
from queries.selection import Selection
from store.contract import DETECTIONS, IMAGES
from store.files import write_table
from store.layout import Layout
from store.manifest import Manifest, night_group, references_group
from store.publication import publish
from store.snapshot import Snapshot, open_snapshot

CHANNELS = (Channel(), Channel(fid=1))
# Four base pixels meet here: a star's rows lie in several, far apart in the index.
CENTRE = (45.0, 41.8103)
N = 10
STEPS = ("night", "night", "again", "withdraw", "compact", "build", "build", "reference")


class History:
    """An archive to which things happen, one after the other."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.layout = root, Layout(root)
        self.rng = np.random.default_rng(seed)
        # Some within the match radius of each other, and of the corner.
        self.ra, self.dec = cluster(*CENTRE, N, 6.0, seed=seed)
        self.checksum, self.n_nights = "first", 0
        nightly(root, self.ra, self.dec, n_nights=0, channels=CHANNELS)
        self.reference()
        self.night()

    def night(self, number: int | None = None) -> None:
        """A night more, or another version of one."""
        if number is None:
            number, self.n_nights = self.n_nights, self.n_nights + 1
        off = self.rng.normal(0, 0.4 / 3600, (2, len(self.ra)))
        off = np.clip(off, -0.9 / 3600, 0.9 / 3600)
        at = self.ra + off[0] / np.cos(np.radians(self.dec)), self.dec + off[1]
        night = FIRST_NIGHT + timedelta(days=number)
        files = night_files(self.layout, night, CHANNELS, *at, 5, self.checksum)
        files = [self._changed(file, number) for file in files]
        group = night_group(night)
        publish(self.root, {group: Manifest.of(group, files)}, "night")

    def again(self) -> None:
        """A night is ingested once more, and gives other rows; what a period holds of it goes."""
        number = int(self.rng.integers(self.n_nights))
        night = FIRST_NIGHT + timedelta(days=number)
        if night_group(night) in open_snapshot(self.root).groups:
            withdraw(self.root, [night])
        self.night(number)

    def withdraw(self) -> None:
        """One of the nights goes, unless it is the last."""
        there = open_snapshot(self.root).groups
        nights = [FIRST_NIGHT + timedelta(days=i) for i in range(self.n_nights)]
        nights = [night for night in nights if night_group(night) in there]
        if len(nights) > 1:
            withdraw(self.root, [nights[int(self.rng.integers(len(nights)))]])

    def compact(self) -> None:
        """The detections of all nights become a period's."""
        compact(self.root, workers=1)

    def build(self) -> None:
        """Light curves are brought up to date."""
        build(self.root, workers=1)

    def reference(self) -> None:
        """Other sources in another order: ids mean other stars from now on."""
        order = self.rng.permutation(N)[: int(self.rng.integers(N // 2, N + 1))]
        ra, dec = cluster(*CENTRE, N, 6.0, seed=7)
        self.ra, self.dec = ra[order], dec[order]
        self.checksum = f"{self.rng.integers(2**60):016x}"
        group = references_group(CHANNELS[0].field)
        files = [
            file
            for channel in CHANNELS
            for file in write_reference(self.layout, channel, self.ra, self.dec, 5, self.checksum)
        ]
        publish(self.root, {group: Manifest.of(group, files)}, "reference")

    def _changed(self, file, number: int):
        """Rows without an id among the others, and images that are bad."""
        if file.table not in ("detections", "images"):
            return file
        rows = pl.read_parquet(self.layout.root / file.path)
        if file.table == "images":
            bad = pl.lit(number % 3 == 1) & (pl.col("fid") == 2)
            rows = rows.with_columns(
                is_bad=bad,
                seeing=pl.lit(self.rng.uniform(1, 3)),
                programid=pl.lit(1 + number % 2, pl.Int8),
            )
        else:
            stray = (pl.col("sourceid") + number) % 5 == 4
            rows = rows.with_columns(
                oid=pl.when(stray).then(None).otherwise("oid"),
                magerr=pl.lit(self.rng.uniform(0.01, 0.1), pl.Float32),
            )
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        contract = DETECTIONS if file.table == "detections" else IMAGES
        return write_table(self.layout, contract, table, file.part, file.pixel)


def check(snapshot: Snapshot) -> None:
    """Every kind of question, by one reader, twice: what is remembered is right too."""
    rows = all_rows(snapshot)
    asked = CurveReader(snapshot, ByteCache())
    for _ in range(2):
        oids = [oid for channel in CHANNELS for oid in channel.oids(N).tolist()]
        for oid in oids:
            expected = curve_of(rows, oid)
            try:
                found = asked.lightcurves(Selection.of_objects(oid))
            except UnknownObjectError:
                assert not (rows["oid"] == oid).any()
            else:
                assert found.equals(expected), oid
        for radius in (0.5, 2.0, 5.0, 60.0):
            for all_images in (False, True):
                cone = Selection.of_cone(*CENTRE, radius).narrowed(all_images=all_images)
                found = asked.lightcurves(cone)
                assert found.equals(curve_in_cone(rows, *CENTRE, radius, all_images=all_images)), (
                    radius
                )
        public = replace(Selection.of_cone(*CENTRE, 5.0), programs=(1,))
        expected = curve_in_cone(rows.filter(pl.col("programid") == 1), *CENTRE, 5.0)
        assert asked.lightcurves(public).equals(expected)
        places = np.stack(cluster(*CENTRE, N, 6.0, seed=3), axis=1)
        found = asked.lightcurves(Selection.of_table(places, 1.5))
        for i, (ra, dec) in enumerate(places.tolist()):
            one = found.filter(pl.col("position") == i).drop("position")
            assert one.equals(curve_in_cone(rows, ra, dec, 1.5))
        cells = hpgeom.query_circle(2**18, *CENTRE, 3 / 3600, nest=True)
        inside = np.isin(rows["_healpix_29"].to_numpy() >> 22, cells)
        moc = asked.lightcurves(Selection.of_moc("18/" + " ".join(map(str, cells))))
        assert moc.equals(_good(rows.filter(inside)))
        east = 4 / 3600 / np.cos(np.radians(CENTRE[1]))
        corners = [(CENTRE[0] + x * east, CENTRE[1] + y * 4 / 3600) for x, y in SQUARE]
        square = asked.lightcurves(Selection.of_polygon(corners))
        (ra_0, dec_0), (ra_1, dec_1) = corners[0], corners[2]
        # Sides are a few arcsec: great circles and parallels are the same.
        between = pl.col("ra").is_between(ra_0, ra_1) & pl.col("dec").is_between(dec_0, dec_1)
        assert square.equals(_good(rows.filter(between)))


SQUARE = [(-1, -1), (1, -1), (1, 1), (-1, 1)]


def _good(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("is_bad").not_()).select(SHOWN)


@settings(max_examples=4)
@given(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6), st.integers(0, 99))
def test_answers_do_not_depend_on_which_files_hold_the_rows(steps: list[str], seed: int) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        history = History(folder / "A", seed)
        for step in steps:
            getattr(history, step)()
        check(open_snapshot(history.root))
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "steps",
    [
        ["build"],
        ["build", "night"],
        ["night", "build", "again"],
        ["night", "build", "withdraw"],
        ["night", "build", "compact"],
        ["night", "build", "night", "compact", "night", "again"],
        ["build", "reference"],
        ["build", "reference", "night"],
        ["reference", "night", "build", "compact", "reference", "again", "build"],
    ],
    ids=" ".join,
)
def test_histories_that_matter_are_among_them(
    tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path / "A", 5)
    for step in steps:
        getattr(history, step)()
    snapshot = open_snapshot(history.root)
    assert separation_arcsec(all_rows(snapshot), *CENTRE).max() < 10
    check(snapshot)
    # As answers of millions of rows are put in order.
    monkeypatch.setattr(reader, "_MANY_ROWS", 0)
    monkeypatch.setattr(answer, "_SHORT_RUN", 0)
    monkeypatch.setattr(answer, "_MOST_TEXTS", 7)
    monkeypatch.setattr(pieces, "_SHORT_RUN", 0)
    check(snapshot)
