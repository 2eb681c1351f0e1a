"""Two writers at once: one waits or is refused, and both are done in the end."""

import pytest
from torture.rivals import RIVALRIES, rivalry


@pytest.mark.parametrize("names", RIVALRIES, ids=" and ".join)
def test_both_are_done_whoever_begins_in_the_middle_of_the_other(stage, tmp_path, names):
    there, wrong = rivalry(stage, names, 40, tmp_path)
    assert there
    assert wrong == []


@pytest.mark.parametrize("step", range(3, 9))
def test_threads_of_one_process_do_not_write_each_others_rows(stage, tmp_path, step):
    """They begin where the first is about to write its shard: buffers were shared once."""
    assert rivalry(stage, ("late", "second night"), step, tmp_path) == (True, [])
