"""What was published when; nights are taken out whole, and read as they were."""

from datetime import UTC, date, datetime, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from archives import table_of
from publications import date_publications, publish_night, rows_of

from ingest.withdraw import withdraw
from store.contract import REFUSALS
from store.errors import ArchiveBusyError, UnknownNightError, UnknownPublicationError
from store.files import write_table
from store.history import find_publication, history, parse_as_of
from store.layout import Layout
from store.locks import staged
from store.manifest import REFUSALS as REFUSALS_GROUP
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHTS = [date(2024, 1, day) for day in (10, 11, 12)]
GROUPS = [f"nights/{night:%Y%m%d}" for night in NIGHTS]


@pytest.fixture
def root(tmp_path):
    """Three nights, each published alone, of 200, 220 and 240 rows."""
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings())
    for i, night in enumerate(NIGHTS):
        publish_night(root, night, 100 + 10 * i)
    return root


# --- history ----------------------------------------------------------------------------------


def test_history_tells_what_came_changed_and_went(root):
    began = datetime.now(UTC)
    publish_night(root, NIGHTS[0], 7)
    withdraw(root, [NIGHTS[1]])
    told = history(root)
    assert [one.number for one in told] == [0, 1, 2, 3, 4, 5]
    assert [one.reason for one in told[-2:]] == ["ingest of 2024-01-10", "withdrawal of 2024-01-11"]
    assert [one.detections for one in told] == [0, 200, 420, 660, 474, 254]
    assert [one.current for one in told] == [False] * 5 + [True]
    assert (told[0].came, told[0].changed, told[0].went) == ((), (), ())
    assert (told[3].came, told[3].changed, told[3].went) == ((GROUPS[2],), (), ())
    assert (told[4].came, told[4].changed, told[4].went) == ((), (GROUPS[0],), ())
    assert (told[5].came, told[5].changed, told[5].went) == ((), (), (GROUPS[1],))
    assert all(one.published.tzinfo == UTC for one in told)
    # To the second, or as coarse as a file system's clock.
    assert began - timedelta(seconds=2) < told[5].published <= datetime.now(UTC)


def test_what_never_became_current_is_no_history(root):
    folder = Layout(root).publications
    (folder / ".000004.partial").mkdir()
    (folder / "000004").symlink_to("000003")
    (folder / "000002" / "publication.json").unlink()  # half copied
    told = history(root)
    assert [one.number for one in told] == [0, 1, 3]
    assert told[2].came is None


# --- as of ------------------------------------------------------------------------------------


def test_a_number_a_date_or_a_time_finds_what_was_current(root):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    days = [noon + timedelta(days=day) for day in (0, 1, 2, 4)]
    date_publications(root, *days)
    for as_of, number in [
        (0, 0), (2, 2), ("3", 3),
        (date(2026, 3, 2), 1), ("2026-03-04", 2), ("2030-01-01", 3),
        (datetime(2026, 3, 3, 12), 2), (datetime(2026, 3, 3, 11, 59, 59), 1),  # noqa: DTZ001
        ("2026-03-03T13:00+02:00", 1), ("2026-03-05T12:00Z", 3),
    ]:  # fmt: skip
        assert find_publication(root, as_of).number == number, as_of
    assert rows_of(find_publication(root, 1)) == 200
    assert rows_of(find_publication(root, 2)) == 420


def test_what_is_not_there_is_said_with_what_is(root):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    date_publications(root, *(noon + timedelta(days=day) for day in range(4)))
    there = r"There are 0 to 3 \(2026-03-01 12:00 to 2026-03-04 12:00 UTC\)"
    with pytest.raises(
        UnknownPublicationError, match=f"publication 4 has never been there.*{there}"
    ):
        find_publication(root, 4)
    with pytest.raises(UnknownPublicationError, match=f"nothing was published yet.*{there}"):
        find_publication(root, date(2026, 2, 28))
    (Layout(root).publication(1) / "publication.json").unlink()
    with pytest.raises(UnknownPublicationError, match=r"1 is no longer there. There are 0, 2 to 3"):
        find_publication(root, 1)
    # Publication 0 was current until somebody knows not when: it may have been 1 by then.
    with pytest.raises(UnknownPublicationError, match=r"23:59 UTC: .* then is no longer there"):
        find_publication(root, date(2026, 3, 2))
    assert find_publication(root, date(2026, 3, 3)).number == 2


@pytest.mark.parametrize("text", ["", "-1", "yesterday", "2026-13-01", "1.5", "latest"])
def test_what_is_no_publication_is_refused(text):
    with pytest.raises(ValueError, match="is no publication: write its number"):
        parse_as_of(text)


# --- withdrawal -------------------------------------------------------------------------------


def test_several_nights_go_in_one_publication_and_can_still_be_read(root):
    snapshot = withdraw(root, [NIGHTS[2], NIGHTS[0], NIGHTS[2]])
    assert snapshot.number == 4
    assert list(snapshot.groups) == [GROUPS[1]]
    assert rows_of(snapshot) == 220
    assert rows_of(find_publication(root, 3)) == 660
    assert verify(root) == []


def test_a_night_that_is_given_again_is_the_same_as_before(root):
    before = open_snapshot(root)
    withdraw(root, [NIGHTS[1]])
    again = publish_night(root, NIGHTS[1], 110)
    assert again.groups == before.groups
    assert again.number == 5


def test_a_night_that_is_not_there_is_named_and_nothing_is_withdrawn(root):
    with pytest.raises(UnknownNightError, match="nights 2020-01-01, 2020-01-02 are not in"):
        withdraw(root, [NIGHTS[0], date(2020, 1, 2), date(2020, 1, 1)])
    withdraw(root, [NIGHTS[0]])
    with pytest.raises(UnknownNightError, match="night 2024-01-10 is not in the archive"):
        withdraw(root, [NIGHTS[0]])
    assert open_snapshot(root).number == 4


def test_a_night_that_is_being_ingested_is_not_withdrawn(root):
    layout = Layout(root)
    with staged(layout, GROUPS[1], wait=False):
        with pytest.raises(ArchiveBusyError, match=GROUPS[1]):
            withdraw(root, NIGHTS)
        assert withdraw(root, [NIGHTS[0]]).number == 4  # another one is
    assert withdraw(root, NIGHTS[1:]).groups == {}


def test_what_was_refused_of_a_night_goes_with_it(root):
    names = ["a.fits", "b.fits", "c.fits", "d.fits"]
    nights = [NIGHTS[0], NIGHTS[1], None, NIGHTS[1]]

    def refused(*chosen):
        rows = table_of(
            REFUSALS, len(chosen), night=[nights[i] for i in chosen],
            input_file=[names[i] for i in chosen], code="truncated", what="x", hint="y",
        )  # fmt: skip
        return Manifest.of(REFUSALS_GROUP, [write_table(Layout(root), REFUSALS, rows, "files")])

    publish(root, {REFUSALS_GROUP: refused(0, 1, 2, 3)}, "refusals")
    snapshot = withdraw(root, [NIGHTS[1]])
    # Byte for byte as if they had never been refused.
    assert snapshot.manifest(REFUSALS_GROUP) == refused(0, 2)
    assert sorted(snapshot.groups) == [GROUPS[0], GROUPS[2], REFUSALS_GROUP]
    (kept,) = snapshot.files("refusals")
    assert pc.is_null(pq.read_table(kept)["night"]).to_pylist() == [False, True]
    publish(root, {REFUSALS_GROUP: refused(0)}, "refusals")
    assert REFUSALS_GROUP not in withdraw(root, [NIGHTS[0]]).groups
