"""Minutes of mixed load while nights are published and replaced: no error, no part of a night.

    python -m benchmarks.soak [--seconds N] [--clients N] [--rows N] [--json FILE]

Clients ask for light curves by ids, in cones, for tables of positions, in SNAD's form, as VOTables;
for statistics, nights, named queries; they ask wrongly on purpose, and go away in the middle of an
answer. Meanwhile nights of the same archive are published again with other exposures, light curves
are built, and old publications removed. Each answer says which publication it is from: its rows
must be exactly those that were published then. What the worker holds in memory must not grow.
"""

from __future__ import annotations

import io
import itertools
import random
import tempfile
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import psutil
import pyarrow as pa
from astropy.io.votable import parse_single_table

from benchmarks.curves_archive import Survey, add_nights, create
from benchmarks.harness import Ratio, Result, options, own_peak_mb, tell
from benchmarks.serving import resident_mb, served
from nightlake import Archive

NIGHTS, VERSIONS = 6, (2, 3, 4)  # a version of a night has that many exposures
GROWTH_MB = 64.0
CACHE_MB = 32  # is full soon, so that what grows is something else
ZTF = "/cgi-bin/ZTF/nph_light_curves"
CURVES = "/api/v1/lightcurves"
ERRORS = "answers that are errors of the service (5xx)"
WRONG_ROWS = "answers that are not what was published"
BROKEN = "connections that broke"
ASKED = 12  # objects or places at once
WRONG = {
    f"{CURVES}?oid=1": 404,
    f"{CURVES}?oid=x": 422,
    f"{CURVES}?ra=1&dec=2&radius=9999": 400,
    f"{CURVES}?oid=1&format=exe": 406,
    f"{ZTF}?POS=BOX+1+2+3": 400,
    "/api/v1/queries/none": 404,
    "/api/v1/nights/2001-01-01/images": 404,
}


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are detections at its beginning."""
    parser = options(__doc__, 60_000)
    parser.add_argument("--seconds", type=float, default=300.0, help="default 300")
    parser.add_argument("--clients", type=int, default=6, help="default 6")
    chosen = parser.parse_args(arguments)
    result = Result("soak", chosen.rows)
    sources = max(2 * ASKED, chosen.rows // (NIGHTS * VERSIONS[0]))
    with tempfile.TemporaryDirectory() as folder:
        changing = Changing(Path(folder) / "archive", Survey(sources, NIGHTS, NIGHTS * VERSIONS[0]))
        with served(changing.root, cache_mb=CACHE_MB) as (address, worker):
            soak(result, changing, address, worker, chosen.seconds, chosen.clients)
    result.peak_memory_mb = own_peak_mb()
    tell(result, chosen.json)
    return result


class Changing:
    """An archive whose nights change, and what was published when."""

    def __init__(self, root: Path, survey: Survey) -> None:
        self.root, self.survey = root, survey
        first = create(root, survey).number
        self._rows: dict[tuple[int, int], pl.DataFrame] = {}
        self._numbers, self._states = [first], [(VERSIONS[0],) * NIGHTS]
        self._known, self._replacing = threading.Condition(), False
        self._publish_all()

    def _publish_all(self) -> None:
        """Each version of each night once: what its rows are is read as it was published then."""
        for version, number in itertools.product(reversed(VERSIONS), range(NIGHTS)):
            self.replace_night(number, version)
            with Archive(self.root) as archive:
                night = str(self.survey.dates[number])
                statement = "SELECT oid, expid FROM detections WHERE night = $night"
                rows = archive.sql(statement, night=night).drop_nulls("oid")
            assert rows["expid"].n_unique() == version
            self._rows[number, version] = rows.with_columns(number=pl.lit(number))
        self.build()

    def replace_night(self, number: int, version: int) -> None:
        """Publish a night with other exposures."""
        survey = replace(self.survey, epochs=version * NIGHTS)
        with self._known:
            self._replacing = True
        snapshot = add_nights(self.root, survey, number, number + 1)
        state = list(self._states[-1])
        state[number] = version
        with self._known:
            self._replacing = False
            self._numbers.append(snapshot.number)
            self._states.append(tuple(state))
            self._known.notify_all()

    def build(self) -> None:
        """Bring the light curves up to date: no row changes."""
        with Archive(self.root) as archive:
            archive.build("lightcurves", workers=1)

    def vacuum(self) -> None:
        """Remove what is no longer current, but for what somebody reads."""
        with Archive(self.root) as archive:
            archive.vacuum(keep=1, older_than_days=0)

    def state(self, publication: int) -> tuple[int, ...]:
        """The version of each night in a publication, which may be told before it is known here."""
        with self._known:
            self._known.wait_for(
                lambda: not self._replacing or publication <= self._numbers[-1], 300
            )
            return self._states[bisect_right(self._numbers, publication) - 1]

    def rows(self, state: tuple[int, ...]) -> pl.DataFrame:
        """The detections of a state."""
        return pl.concat([self._rows[number, version] for number, version in enumerate(state)])


@dataclass
class Tally:
    """What came of it: answers by what was asked and their status, and all that was wrong."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Answers that were errors of the service."""
        return sum(n for (_, status), n in self.answers.items() if status >= 500)


class Client:
    """One client: asks this and that, and holds each answer to what was published."""

    def __init__(self, changing: Changing, address: str, seed: int, tally: Tally) -> None:
        self._changing, self._tally, self._random = changing, tally, random.Random(seed)
        self._http = httpx.Client(base_url=address, timeout=300)
        self._oid = changing.survey.oid
        self._ra, self._dec = changing.survey.place
        self._kinds: list[Callable[[], None]] = [
            self.some, self.some, self.some, self.votable, self.snad, self.cone, self.cone,
            self.table, self.statistics, self.nights, self.query, self.simple_cone, self.again,
            self.wrong, self.leave,
        ]  # fmt: skip

    def run(self, until: threading.Event) -> None:
        """Ask until it is over."""
        with self._http:
            while not until.is_set():
                kind = self._random.choice(self._kinds)
                try:
                    kind()
                except httpx.TransportError as error:
                    self._tally.broken.append(f"{kind.__name__}: {type(error).__name__}")
                except AssertionError as error:
                    self._tally.wrong.append(f"{kind.__name__}: {error}")

    # --- light curves, whose rows are known -------------------------------------------------

    def some(self) -> None:
        """Objects by id, as CSV."""
        asked = self._some()
        answer = self._ask("some", f"{ZTF}?FORMAT=CSV&ID={','.join(map(str, asked))}")
        self._hold(answer, pl.read_csv(answer.content, columns=["oid", "expid"]), asked)

    def votable(self) -> None:
        """Objects by id, as what astropy reads."""
        asked = self._some()[:3]
        answer = self._ask("votable", f"{ZTF}?ID={','.join(map(str, asked))}")
        table = parse_single_table(io.BytesIO(answer.content)).to_table()
        rows = pl.DataFrame({name: table[name].tolist() for name in ("oid", "expid")})
        self._hold(answer, rows, asked)

    def snad(self) -> None:
        """Objects by id, in SNAD's form: the number of rows of each."""
        asked = self._some()
        path = "/api/v3/data/latest/oid/full/json?" + "&".join(f"oid={oid}" for oid in asked)
        answer = self._ask("snad", path)
        found = {int(oid): one["meta"]["nobs"] for oid, one in answer.json().items()}
        known = self._known(answer).filter(pl.col("oid").is_in(asked))
        wanted = dict(known.group_by("oid").len().iter_rows())
        assert found == wanted, f"{found} and not {wanted}"

    def cone(self) -> None:
        """Whole curves of the objects about a place."""
        at, radius = self._random.randrange(len(self._oid)), 300.0
        east = (self._ra - self._ra[at]) * np.cos(np.radians(self._dec[at]))
        away = np.hypot(east, self._dec - self._dec[at]) * 3600
        where = f"ra={self._ra[at]}&dec={self._dec[at]}&radius={radius}&of=objects"
        answer = self._ask("cone", f"{CURVES}?{where}&format=json")
        rows = pl.DataFrame(answer.json()["rows"], infer_schema_length=None).select("oid", "expid")
        # The plane is no sphere: a little about the edge counts either way.
        inside = set(self._oid[away < radius * 0.999].tolist())
        near = set(self._oid[away < radius * 1.001].tolist())
        assert set(rows["oid"]) <= near, "an object is not in the circle"
        self._hold(answer, rows, sorted(inside | set(rows["oid"])))

    def table(self) -> None:
        """Detections about the positions of a table."""
        at = self._random.sample(range(len(self._oid)), ASKED)
        places = pl.DataFrame({"ra": self._ra[at], "dec": self._dec[at]}).write_csv()
        answer = self._ask("table", f"{CURVES}?radius=1.2&format=parquet", places.encode())
        asked = self._oid[at].tolist()
        rows = pl.read_parquet(answer.content, columns=["oid", "expid"])
        self._hold(answer, rows.filter(pl.col("oid").is_in(asked)).unique(), asked)

    # --- the rest -----------------------------------------------------------------------------

    def nights(self) -> None:
        """The nights, each with all of its exposures."""
        answer = self._ask("nights", "/api/v1/nights?format=arrow")
        table = pl.DataFrame(pl.from_arrow(pa.ipc.open_stream(answer.content).read_all()))
        state = self._changing.state(int(answer.headers["x-nightlake-publication"]))
        found = tuple(table.sort("night")["n_exposures"])
        assert found == state, f"nights of {found} exposures and not {state}"

    def statistics(self) -> None:
        """What the last build knew of an object."""
        oid = self._some()[0]
        answer = self._ask("statistics", f"/api/v1/objects/{oid}?statistics=true")
        assert answer.json()["rows"][0]["oid"] == oid

    def query(self) -> None:
        """A named query."""
        assert self._ask("query", "/api/v1/queries/counts").json()["rows"]

    def simple_cone(self) -> None:
        """The objects about a place, as the Virtual Observatory asks."""
        at = self._random.randrange(len(self._oid))
        answer = self._ask("scs", f"/scs?RA={self._ra[at]}&DEC={self._dec[at]}&SR=0.01")
        assert str(self._oid[at]) in answer.text

    def again(self) -> None:
        """The same again: nothing new, or another publication."""
        path = f"{CURVES}?oid={self._some()[0]}"
        first = self._ask("again", path)
        second = self._http.get(path, headers={"if-none-match": first.headers["etag"]})
        self._tally.answers["again", second.status_code] += 1
        same = first.headers["etag"] == second.headers["etag"]
        assert (second.status_code == 304) == same, f"{second.status_code}, the same: {same}"

    def wrong(self) -> None:
        """What is no question."""
        path, status = self._random.choice(list(WRONG.items()))
        answer = self._http.get(path)
        self._tally.answers["wrong", answer.status_code] += 1
        assert answer.status_code == status, f"{path}: {answer.status_code}"

    def leave(self) -> None:
        """Much, of which only the beginning is read."""
        n = 2000
        at = self._random.choices(range(len(self._oid)), k=n)
        places = pl.DataFrame({"ra": self._ra[at], "dec": self._dec[at]}).write_csv()
        path = f"{CURVES}?radius=100&format=csv"
        with self._http.stream("POST", path, content=places.encode()) as answer:
            self._tally.answers["leave", answer.status_code] += 1
            next(answer.iter_raw(), b"")

    # ------------------------------------------------------------------------------------------

    def _some(self) -> list[int]:
        return [int(oid) for oid in self._random.sample(self._oid.tolist(), ASKED)]

    def _ask(self, kind: str, path: str, body: bytes | None = None) -> httpx.Response:
        method = "GET" if body is None else "POST"
        answer = self._http.request(method, path, content=body)
        self._tally.answers[kind, answer.status_code] += 1
        assert answer.status_code == 200, f"{path[:80]}: {answer.status_code} {answer.text[:200]}"
        return answer

    def _known(self, answer: httpx.Response) -> pl.DataFrame:
        """All detections of what an answer is from."""
        publication = int(answer.headers["x-nightlake-publication"])
        return self._changing.rows(self._changing.state(publication))

    def _hold(self, answer: httpx.Response, rows: pl.DataFrame, asked: Sequence[int]) -> None:
        """Hold the rows of an answer to those that were published."""
        wanted = self._known(answer).filter(pl.col("oid").is_in(asked)).select("oid", "expid")
        found = rows.sort("oid", "expid").cast(pl.Int64)
        same = found.equals(wanted.sort("oid", "expid").cast(pl.Int64))
        assert same, f"{found.height} rows and not {wanted.height}"


def soak(
    result: Result, changing: Changing, address: str, worker: psutil.Process, seconds: float,
    clients: int,
) -> None:  # fmt: skip
    """All clients at once, and nights that change meanwhile."""
    tally, over, chance = Tally(), threading.Event(), random.Random(7)
    threads = [
        threading.Thread(target=Client(changing, address, seed, tally).run, args=(over,))
        for seed in range(clients)
    ]
    begin = time.monotonic()
    held: list[tuple[float, float]] = []
    nights = 0
    for thread in threads:
        thread.start()
    try:
        for turn in itertools.count(1):
            passed = time.monotonic() - begin
            held.append((passed / seconds, resident_mb(worker)))
            # However slow the machine is, something was published and asked.
            if passed > seconds and nights and (tally.broken or tally.answers.total() > 10):
                break
            if turn % 5 == 0:
                changing.build()
            elif turn % 7 == 0:
                changing.vacuum()
            else:
                changing.replace_night(chance.randrange(NIGHTS), chance.choice(VERSIONS))
                nights += 1
            over.wait(0.2)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    told(result, tally, nights, held, time.monotonic() - begin)


def told(
    result: Result, tally: Tally, nights: int, held: list[tuple[float, float]], seconds: float
) -> None:
    """The figures of a soak."""
    warm = max(mb for part, mb in held if part <= 0.5)
    later = max(mb for part, mb in held if part >= 0.5)
    n = sum(tally.answers.values())
    result.figures |= {
        "seconds": seconds,
        "answers": float(n),
        "answers a second": n / seconds,
        "nights published meanwhile": float(nights),
        "worker's memory (MB)": held[-1][1],
    }
    kinds = sorted({kind for kind, _ in tally.answers})
    for kind in kinds:
        result.figures[f"answers: {kind}"] = float(
            sum(n for (one, _), n in tally.answers.items() if one == kind)
        )
    result.ratios += [
        Ratio(ERRORS, tally.errors, 0, True),
        Ratio(WRONG_ROWS, len(tally.wrong), 0, True),
        Ratio(BROKEN, len(tally.broken), 0, True),
        Ratio("worker's growth in the second half (MB)", max(0.0, later - warm), GROWTH_MB, True),
    ]
    for what in (tally.wrong + tally.broken)[:20]:
        print(f"  wrong: {what}")


if __name__ == "__main__":
    main()
