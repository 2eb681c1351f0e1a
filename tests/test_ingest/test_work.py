"""Work is cut into batches that are done at about the same time, and that share what they can."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import work
from ingest.work import BATCH_ITEMS, BATCH_ROWS, LEAST_ROWS, cut


@given(
    rows=st.lists(st.integers(0, 400_000), max_size=80),
    shares=st.lists(st.integers(0, 5), min_size=80, max_size=80),
    workers=st.integers(1, 8),
)
def test_every_item_is_in_one_batch_and_none_has_many_rows(rows, shares, workers):
    share = sorted(shares[: len(rows)])
    batches = cut(range(len(rows)), rows, workers, share)
    assert [i for batch in batches for i in batch] == list(range(len(rows)))
    assert all(batches)
    largest = max(rows, default=0)
    for batch in batches:
        most = min(BATCH_ROWS, max(LEAST_ROWS, sum(rows[batch[0] :]) // (2 * workers)))
        assert sum(rows[i] for i in batch) <= 1.5 * most + max(largest, 2 * LEAST_ROWS)


@pytest.mark.parametrize("channels", [64, 61, 40])
def test_batches_of_a_night_end_where_channels_do_and_the_last_are_small(channels):
    rng = np.random.default_rng(channels)
    rows = rng.integers(10_000, 16_000, 10 * channels).tolist()
    share = np.repeat(np.arange(channels), 10).tolist()
    batches = cut(range(len(rows)), rows, 2, share)
    assert all(share[one[-1]] != share[two[0]] for one, two in pairwise(batches))
    sizes = [sum(rows[i] for i in batch) for batch in batches]
    a_channel = sum(rows) / channels
    assert all(later <= one + a_channel for one, later in pairwise(sizes))
    # Whoever is done first waits for no more than this.
    assert max(sizes[-2:]) <= LEAST_ROWS + a_channel
    assert len(batches) < 20


def test_what_nearly_all_share_is_cut_all_the_same():
    rows = [100_000] * 80
    batches = cut(range(80), rows, 2, ["one"] * 79 + ["other"])
    assert len(batches[0]) == BATCH_ROWS / 100_000
    assert len(batches) > 8
    batches = cut(range(4 * BATCH_ITEMS), [1] * (4 * BATCH_ITEMS), 1, [0] * (4 * BATCH_ITEMS))
    assert [len(batch) for batch in batches] == [BATCH_ITEMS] * 4


def test_a_large_item_does_not_leave_small_ones_alone():
    rows = [10 * BATCH_ROWS] * 3 + [BATCH_ROWS // 4] * 80
    batches = cut(range(len(rows)), rows, 1)
    assert [len(batch) for batch in batches[:3]] == [1, 1, 1]
    assert {len(batch) for batch in batches[3:15]} == {4}


def test_batches_are_as_small_as_asked(monkeypatch):
    monkeypatch.setattr(work, "BATCH_ROWS", 1)
    assert cut("abc", [20, 20, 20], 2, [1, 1, 1]) == [["a"], ["b"], ["c"]]
    assert cut("", [], 2) == []
