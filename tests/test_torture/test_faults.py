"""The disk is full, broken or forbidden: the archive stays as it was and says so."""

import errno

import pytest
from torture.edge import Edge, copied, installed
from torture.faults import FAULTS, refusing, run, steps_of
from torture.scenario import OPERATIONS, content, difference

from store.errors import UnsettledPublicationError, UnwritableArchiveError
from store.snapshot import open_snapshot
from store.verify import verify


def test_faults_at_some_steps(stage, tmp_path):
    names = ("init", "replacement", "withdrawal", "compaction", "vacuum")
    count, wrong = run(stage, tmp_path, sample=1, names=names)
    assert wrong == []
    assert count >= 4 * len(names)


def test_a_publication_that_may_not_last_is_said_to_be_one_and_settled_by_the_next_try(
    stage, tmp_path
):
    operation = OPERATIONS["withdrawal"]
    root = copied(stage.before(operation), tmp_path / "archive")
    before = open_snapshot(root).number
    last = steps_of(stage, "withdrawal", tmp_path / "undisturbed")
    refuse = refusing(FAULTS["input/output error"], last)
    with (
        installed(Edge(refuse)),
        pytest.raises(
            UnsettledPublicationError, match=rf"publication {before + 1} is current, but"
        ),
    ):
        operation.run(root, stage.raw, 1)
    assert verify(root) == []
    assert open_snapshot(root).number == before + 1
    operation.run(root, stage.raw, 1)
    assert difference(content(root), content(stage.after(operation))) == []


def test_a_disk_that_stays_full_leaves_no_trace_but_what_is_swept_later(stage, tmp_path):
    operation = OPERATIONS["late"]
    root = copied(stage.before(operation), tmp_path / "archive")
    before = content(root)

    def full(step):
        if step.call == "write":
            raise OSError(errno.ENOSPC, "No space left on device", "the file")

    with installed(Edge(full)), pytest.raises(UnwritableArchiveError, match="No space left"):
        operation.run(root, stage.raw, 1)
    assert [name for name in difference(content(root), before) if "staging" not in name] == []
