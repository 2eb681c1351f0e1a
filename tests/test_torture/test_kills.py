"""Processes ended by SIGKILL: the next goes on, and nothing is lost or doubled."""

import pytest
from torture.child import nursery
from torture.faults import steps_of
from torture.kills import kill_at_random, kill_at_steps, spread


@pytest.fixture(scope="module")
def children():
    with nursery() as started:
        yield started


@pytest.mark.parametrize(
    "name", ["night", "replacement", "withdrawal", "compaction", "build after a night"]
)
def test_a_process_that_is_killed_at_some_steps(stage, children, tmp_path, name):
    steps = spread(steps_of(stage, name, tmp_path), 2, offset=len(name))
    tally = kill_at_steps(stage, children, name, steps, tmp_path)
    assert tally.wrong == []
    assert tally.kills == tally.recoveries == len(steps)
    assert (tally.lost_rows, tally.doubled_rows) == (0, 0)


def test_a_process_that_is_killed_at_random_times(stage, children, tmp_path):
    tally = kill_at_random(stage, children, "nights", 3, tmp_path, workers=1, seed=1)
    assert tally.wrong == []
    assert tally.recoveries == tally.started == 3
