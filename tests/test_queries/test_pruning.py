"""Statements open the files of the nights and places that they name, and answer as without it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import duckdb
import numpy as np
import pytest
from archives import (
    FIRST_NIGHT,
    Channel,
    cluster,
    healpix,
    night_files,
    nightly,
    reference_files,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opened import opened_below

from ingest.compact import compact
from queries.connection import Session, connect
from queries.definitions import definitions
from queries.errors import QueryError
from store.layout import Layout
from store.manifest import Manifest, night_group, references_group
from store.publication import publish
from store.snapshot import Snapshot, open_snapshot

# Three places in three pixels of order 5, the last near a corner of four.
PLACES = [(10.0, 45.0), (150.0, -20.0), (200.0, 5.0)]
CLUSTERS = [cluster(*place, n=8, seed=i) for i, place in enumerate(PLACES)]
ALL_RA, ALL_DEC = (np.concatenate(parts) for parts in zip(*CLUSTERS, strict=True))
ALL_CELLS = healpix(ALL_RA, ALL_DEC)
N_NIGHTS = 6
CHANNELS = (Channel(fid=1), Channel(fid=2))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    path = tmp_path_factory.mktemp("a") / "A"
    return nightly(path, ALL_RA, ALL_DEC, n_nights=N_NIGHTS, channels=CHANNELS)


@pytest.fixture(scope="module")
def session(snapshot: Snapshot) -> Iterator[Session]:
    with connect(snapshot) as session:
        yield session


@pytest.fixture(scope="module")
def plain(snapshot: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over all files."""
    with duckdb.connect() as connection:
        for statement in definitions(snapshot):
            connection.execute(statement)
        yield connection


def opened_by(session: Session, statement: str, **params: object) -> dict[str, int]:
    """How many files of each table a statement opens."""
    counts: dict[str, int] = {}
    data = session.snapshot.layout.data
    with opened_below(data) as files:
        session.rows(statement, params)
    for path in set(files):
        table = path.relative_to(data).parts[0]
        counts[table] = counts.get(table, 0) + 1
    return counts


CELL = int(healpix(np.array([10.0]), np.array([45.0]))[0])
OID = int(CHANNELS[1].oids(3)[2])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select count(*), sum(mag) from detections", {"detections": 18}),
        ("select sum(mag) from detections where night = '2024-01-12'", {"detections": 3}),
        ("select sum(mag) from detections d where d.night = date '2024-01-12'", {"detections": 3}),
        ("select sum(mag) from detections where cone(ra, dec, 10, 45, 5)", {"detections": 6}),
        (
            "select sum(mag) from detections where separation(ra, dec, 10, 45) < 5",
            {"detections": 6},
        ),
        (
            (
                "select sum(mag) from detections "
                "where cone(ra, dec, 10, 45, 5) and night < '2024-01-12'"
            ),
            {"detections": 2},
        ),
        (f"select sum(mag) from detections where _healpix_29 = {CELL}", {"detections": 6}),
        (
            f"select sum(mag) from detections where _healpix_29 between {CELL} and {CELL} + 5",
            {"detections": 6},
        ),
        (
            f"select sum(mag) from detections where in_healpix(_healpix_29, 5, {CELL >> 48})",
            {"detections": 6},
        ),
        (
            f"select sum(mag) from detections where healpix_cell(_healpix_29, 5) = {CELL >> 48}",
            {"detections": 6},
        ),
        (
            (
                "select sum(mag) from detections d join images i using (night, expid, rcid) "
                "where i.night = '2024-01-12' and not i.is_bad"
            ),
            {"detections": 3, "images": 1},
        ),
        (
            (
                "select sum(mag) from images i left join detections d on d.night = i.night "
                "and d.expid = i.expid where i.night in ('2024-01-12', '2024-01-13')"
            ),
            {"detections": 6, "images": 2},
        ),
        (
            "select sum(mag) from detections where night = '2024-01-12' or night = '2024-01-15'",
            {"detections": 6},
        ),
        (
            "select sum(mag) from detections where night = '2024-01-12' or mag < 16",
            {"detections": 18},
        ),
        (
            (
                "with d as (select * from detections where night = '2024-01-12') "
                "select sum(mag) from d"
            ),
            {"detections": 3},
        ),
        (
            (
                "select (select sum(mag) from detections where night = '2024-01-12'), "
                "(select sum(mag) from detections where cone(ra, dec, 10, 45, 5))"
            ),
            {"detections": 8},
        ),
        ("select * from images where night > date '2024-01-10' + interval 2 day", {"images": 3}),
        ("select * from images where month(night) = 2", {}),
        ("select * from exposures where night = '2024-01-12'", {"exposures": 1}),
    ],
)
def test_only_these_files_are_opened(
    session: Session, statement: str, expected: dict[str, int]
) -> None:
    assert opened_by(session, statement) == expected


# --- the same answer with and without ---------------------------------------------------

NIGHTS = st.integers(-1, N_NIGHTS).map(lambda i: f"'{FIRST_NIGHT + timedelta(days=i)}'")
COMPARED = st.sampled_from(["=", "<", "<=", ">", ">=", "<>", "is distinct from"])
CELLS = st.integers(0, 3 * 8 - 1).map(lambda i: int(ALL_CELLS[i]))
OIDS = st.integers(0, 9).map(lambda i: int(CHANNELS[i % 2].oids(12)[i]))
CENTRES = st.sampled_from(PLACES)


def conditions(*aliases: str) -> st.SearchStrategy[str]:
    """Conditions on the columns that all tables of these aliases have, and some of their own."""
    places = [alias for alias in aliases if alias in "d"]
    any_alias = st.sampled_from(aliases)
    atoms = [
        st.builds("{}.night {} {}".format, any_alias, COMPARED, NIGHTS),
        st.builds("{} >= {}.night".format, NIGHTS, any_alias),
        st.builds("{}.night between {} and {}".format, any_alias, NIGHTS, NIGHTS),
        st.builds("{}.night in ({}, {})".format, any_alias, NIGHTS, NIGHTS),
        st.builds("day({}.night) % 2 = {}".format, any_alias, st.sampled_from([0, 1])),
        st.builds("{}.night is null".format, any_alias),
        st.builds("coalesce({}.night, {}) = {}".format, any_alias, NIGHTS, NIGHTS),
        st.builds("{}.night = {}.night".format, any_alias, any_alias),
        st.sampled_from(["true", "false", "null", "$x > 3", "$x is null or $x < 9"]),
        st.builds("{}.expid % 3 = 0".format, any_alias),
    ]
    if places:
        own = st.sampled_from(places)
        atoms += [
            st.builds("{}._healpix_29 {} {}".format, own, COMPARED, CELLS),
            st.builds("{} <= {}._healpix_29".format, CELLS, own),
            st.builds("{}._healpix_29 in ({}, {}, 7)".format, own, CELLS, CELLS),
            st.builds("{}._healpix_29 >> 48 = {} >> 48".format, own, CELLS),
            st.builds("in_healpix({}._healpix_29, 8, {} >> 42)".format, own, CELLS),
            st.builds("{0}.oid = {1}".format, own, OIDS),
            st.builds("{0}.oid in ({1}, {2})".format, own, OIDS, OIDS),
            st.builds("{0}.oid is null".format, own),
            st.builds("{}.mag < 17".format, own),
            st.builds(
                lambda a, p, r: f"cone({a}.ra, {a}.dec, {p[0]}, {p[1]}, {r})",
                own,
                CENTRES,
                st.sampled_from([0.5, 20, 70, 3600, 0, -1]),
            ),
            st.builds(
                lambda a, p, r: f"separation({a}.ra, {a}.dec, {p[0]}, {p[1]}) < {r}",
                own,
                CENTRES,
                st.sampled_from([0.5, 20, 70]),
            ),
        ]

    def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not ({})".format, inner),
        )

    return st.recursive(st.one_of(atoms), joined, max_leaves=4)


D, OF_I, DI = conditions("d"), conditions("i"), conditions("d", "i")
NDE = conditions("n", "d", "e")
STATEMENTS = st.one_of(
    st.builds("select d.* from detections d where {}".format, D),
    st.builds("select * from images i where {}".format, OF_I),
    st.builds(
        "select d.*, i.* from detections d "
        "join images i using (night, expid, rcid) where {}".format,
        DI,
    ),
    st.builds("select d.*, i.* from detections d, images i where {} and {}".format, DI, DI),
    st.builds(
        "select i.*, d.* from images i {} join detections d "
        "on i.night = d.night and i.expid = d.expid and {} where {}".format,
        st.sampled_from(["left", "right", "full", "inner"]),
        DI,
        DI,
    ),
    st.builds(
        "select i.* from images i {} join detections d "
        "on i.night = d.night and i.expid = d.expid and {} where {}".format,
        st.sampled_from(["semi", "anti"]),
        DI,
        OF_I,
    ),
    st.builds(
        "select n.*, d.*, e.* from nights n left join "
        "(detections d {} join exposures e on d.expid = e.expid and {}) "
        "on n.night = d.night where {}".format,
        st.sampled_from(["left", "inner"]),
        conditions("d", "e"),
        NDE,
    ),
    st.builds(
        "select n.night, d.*, i.pid from (select night from nights) n "
        "left join (detections d join exposures e on d.expid = e.expid and {}) using (night) "
        "left join images i on i.night = n.night and {} where {}".format,
        conditions("d", "e"),
        OF_I,
        conditions("d", "i"),
    ),
    st.builds(
        "select i.* from images i where {} and {} (select 1 from detections d "
        "where d.night = i.night and {})".format,
        OF_I,
        st.sampled_from(["exists", "not exists"]),
        DI,
    ),
    st.builds(
        "with images as (select * from images where {}) select i.* from images i "
        "join detections d using (night) where {}".format,
        OF_I.map(lambda text: text.replace("i.", "images.")),
        DI,
    ),
    st.builds(
        "select d.* from (select * from detections) d where {} union all "
        "(select d.* from detections d where {} {} select d.* from detections d where {})".format,
        D,
        D,
        st.sampled_from(["except", "intersect", "union"]),
        D,
    ),
    st.builds(
        "select d.night, count(*), count(*) over () from detections d join detections i "
        "on d.oid = i.oid where {} group by d.night having {}".format,
        DI,
        st.builds("d.night < {}".format, NIGHTS),
    ),
)


def answers(read: Callable[[], list[tuple[object, ...]]]) -> list[str] | str:
    try:
        return sorted(map(repr, read()))
    except (duckdb.Error, QueryError):
        return "refused"


def test_the_answer_is_that_of_all_files(
    session: Session, plain: duckdb.DuckDBPyConnection
) -> None:
    # Within, or else hypothesis keeps both to the very end of the process.
    @settings(max_examples=120, suppress_health_check=list(HealthCheck))
    @given(statement=STATEMENTS)
    # What is left out must not make a row of null of what it would have been joined to …
    @example(
        "select i.*, d.* from images i left join detections d "
        "on i.night = d.night and i.expid = d.expid where d.night is null"
    )
    @example(
        "select i.*, d.* from images i left join detections d on i.night = d.night "
        "and i.expid = d.expid where coalesce(d.night, '2024-01-12') = '2024-01-12'"
    )
    # … nor is the kept side of a join bound by what joins it.
    @example(
        "select n.*, d.* from nights n left join detections d "
        "on n.night = d.night and n.night = '2024-01-12' and d.mag < 17"
    )
    @example(
        "select night, d.oid, i.pid from (select night from nights) n "
        "left join (detections d join exposures e on d.expid = e.expid and d.night = '2024-01-12') "
        "using (night) left join images i using (night)"
    )
    # A name that a statement gives, and one that it hides.
    @example(
        "with detections as (select * from detections where night <> '2024-01-12') "
        "select * from detections where night = '2024-01-12'"
    )
    @example("select oid from images as detections join nights using (night) where oid = 5")
    @example("select * from main.detections where night = '2024-01-12'")
    @example("select * from detections d(a, night) where night = 5")
    @example("select night + 1 as night from detections where night = '2024-01-12'")
    @example("select * from detections d where night = (select max(night) from nights)")
    @example(
        "select * from detections positional join images where detections.night = '2024-01-12'"
    )
    @example("select count(*) from detections tablesample 100% where night = '2024-01-12'")
    @example("describe select * from detections where night = '2024-01-12'")
    @example("select * from detections where night = '2024-01-12' and mag / 0 > night")
    @example("select * from stale_images, images where images.night = '2024-01-12'")
    def the_same(statement: str) -> None:
        params = {"x": 5} if "$x" in statement else None
        expected = answers(lambda: plain.execute(statement, params).fetchall())
        assert answers(lambda: session.rows(statement, params)) == expected

    the_same()


# --- archives with a history ------------------------------------------------------------


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """References replaced after three nights, ids meaning other stars since; two compacted."""
    root = tmp_path_factory.mktemp("changed") / "A"
    # Four base pixels meet here: a quadrant lies in several.
    ra, dec = cluster(45.0, 41.8103, 12, 1800)
    nightly(root, ra, dec, n_nights=3, channels=CHANNELS)
    compact(root, last=FIRST_NIGHT + timedelta(days=1), workers=1)
    layout, group, red = Layout(root), references_group(633), CHANNELS[1]
    green = [entry for entry in open_snapshot(root).manifest(group).files if "_zg_" in entry.part]
    other = ra[::-1][:9], dec[::-1][:9]
    files = [*green, *reference_files(layout, red, *other, 5, "another")]
    publish(root, {group: Manifest.of(group, files)}, "test")
    night = FIRST_NIGHT + timedelta(days=20)
    files = night_files(layout, night, [red], *other, 5, "another")
    return publish(root, {night_group(night): Manifest.of(night_group(night), files)}, "test")


def test_objects_are_found_whatever_their_id_meant_before(changed: Snapshot) -> None:
    question = "select night, expid, ra from detections where oid = $oid order by all"
    with duckdb.connect() as plain, connect(changed) as session:
        for statement in definitions(changed):
            plain.execute(statement)
        for channel in CHANNELS:
            for oid in channel.oids(13).tolist():
                expected = plain.execute(question, {"oid": oid}).fetchall()
                assert session.rows(question, {"oid": oid}) == expected
                n_former = 3 if oid in channel.oids(12) else 0
                n_new = 1 if channel is CHANNELS[1] and oid in channel.oids(9) else 0
                assert len(expected) == n_former + n_new
        every = "select oid, night, ra from detections where oid in (?) or false order by all"
        listed = ", ".join(map(str, CHANNELS[1].oids(12).tolist()))
        assert (
            session.rows(every.replace("?", listed))
            == plain.execute(every.replace("?", listed)).fetchall()
        )


def test_an_object_is_looked_for_in_its_pixels(changed: Snapshot) -> None:
    with connect(changed) as session:
        total = opened_by(session, "select sum(mag) from detections")["detections"]
        # Its reference stands as it was: one pixel, where a period and two nights have a file.
        oid = int(CHANNELS[0].oids(4)[3])
        counts = opened_by(session, "select sum(mag) from detections where oid = $oid", oid=oid)
        assert counts["detections"] == 3 < total
        near = opened_by(session, f"select mag from reference_sources where oid = {oid}")
        assert near.keys() == {"reference_sources"}
        every = opened_by(session, "select mag from reference_sources")["reference_sources"]
        assert near["reference_sources"] < every


def test_a_night_of_a_period_is_in_the_periods_files(changed: Snapshot) -> None:
    with connect(changed) as session, duckdb.connect() as plain:
        for statement in definitions(changed):
            plain.execute(statement)
        for night in range(-1, 4):
            question = (
                f"select count(*), sum(mag) from detections "
                f"where night = '{FIRST_NIGHT + timedelta(days=night)}'"
            )
            assert session.rows(question) == plain.execute(question).fetchall()
        counts = opened_by(session, "select mag from detections where night = '2024-01-10'")
        assert {"detections"} == counts.keys()
        first = opened_by(session, "select mag from detections where night = '2024-01-12'")
        assert first["detections"] < opened_by(session, "from detections")["detections"]
