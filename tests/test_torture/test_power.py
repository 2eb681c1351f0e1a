"""Power is lost: what is found is sound, and the work goes on from it; `make torture` does more."""

import pytest
from torture.edge import Edge, Killed, installed, kill_at
from torture.power import VARIANTS, Disk, changes_of, lose_power, read_tree, record, run_all
from torture.scenario import OPERATIONS, another_start, content, difference

from store import disk
from store.atomic import replace_link, write_whole


@pytest.fixture
def top(tmp_path):
    top = tmp_path / "top"
    (top / "folder").mkdir(parents=True)
    (top / "folder" / "old").write_bytes(b"old")
    (top / "link").symlink_to("folder")
    return top


def found_after(top, change, target, variant):
    """What is found once power is back after `change` was made."""
    tree = read_tree(top)
    with installed(Edge()) as edge:
        change()
    before = Disk(top, tree)
    before.apply(edge.log)
    before.write(target, variant, 0)
    return target


@pytest.mark.parametrize(
    ("variant", "content"), [("lost", b""), ("names", b"\0\0\0"), ("all", b"new")]
)
def test_a_file_that_is_not_synced_may_be_anything(top, tmp_path, variant, content):
    def change():
        with disk.File(top / "folder" / "new") as file:
            file.write(b"new")
        disk.sync_folder(top / "folder")

    found = found_after(top, change, tmp_path / variant, variant)
    assert (found / "folder" / "new").read_bytes() == content
    assert (found / "folder" / "old").read_bytes() == b"old"


def test_a_name_whose_folder_is_not_synced_may_be_missing(top, tmp_path):
    def change():
        disk.write_file(top / "folder" / "new", b"new")

    assert not (found_after(top, change, tmp_path / "a", "lost") / "folder" / "new").exists()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_rename_may_be_undone_and_is_never_half_done(top, tmp_path, variant):
    def change():
        write_whole(top / "folder" / "old", b"new")
        replace_link(top / "link", top / "folder" / "old")

    found = found_after(top, change, tmp_path / "found", variant)
    assert (found / "folder" / "old").read_bytes() in (b"old", b"new")
    assert str((found / "link").readlink()) in ("folder", "folder/old")


def test_what_is_synced_lasts(top, tmp_path):
    def change():
        write_whole(top / "folder" / "deeper" / "new", b"new")
        disk.remove(top / "folder" / "old")
        for folder in (top / "folder" / "deeper", top / "folder"):
            disk.sync_folder(folder)

    for variant in VARIANTS:
        found = found_after(top, change, tmp_path / variant, variant)
        assert [p.name for p in sorted((found / "folder").rglob("*"))] == ["deeper", "new"]
        disk.make_folder(top / "folder")
        (top / "folder" / "old").write_bytes(b"old")
        disk.remove_tree(top / "folder" / "deeper")


def test_an_archive_outlives_a_loss_of_power(stage, tmp_path):
    names = ("init", "late", "withdrawal", "compaction", "replacement in a period", "vacuum")
    count, wrong = run_all(stage, tmp_path, every=60, names=names)
    assert wrong == []
    assert count > 15


@pytest.mark.parametrize("killed_at", [90, 200])
def test_what_a_killed_process_left_unsynced_is_synced_by_the_next(stage, tmp_path, killed_at):
    """The next process finds good what the killed one made; nobody has synced it yet."""
    run = record(stage, "night", tmp_path, killed_at=killed_at)
    last = changes_of(run)[-1]
    for variant in VARIANTS:
        assert lose_power(run, last, variant, tmp_path, resume=False) == []


def test_shards_of_before_the_loss_of_power_are_made_again(stage, tmp_path):
    """They are not synced: what looks whole may be zeros."""
    run = record(stage, "night", tmp_path)
    shard = max(n for n, entry in enumerate(run.edge.log) if "records" in str(entry[1:3]))
    marker = next(n for n, entry in enumerate(run.edge.log) if n > shard and entry[0] == "replace")
    assert lose_power(run, marker + 1, "names", tmp_path) == []


def test_the_mark_of_an_init_goes_at_the_latest_with_the_next_publication(stage, tmp_path):
    run = record(stage, "init", tmp_path)
    at = next(
        n for n, entry in enumerate(run.edge.log) if entry[0] == "unlink" and "init" in entry[1]
    )
    run.disk_after(at).write(tmp_path / "found", "all", 0)
    root = tmp_path / "found" / "archive"
    assert (root / ".nightlake-init").exists()
    with another_start():
        OPERATIONS["references"].run(root, stage.raw, 1)
    assert not (root / ".nightlake-init").exists()


def test_vacuum_settles_what_is_current_before_it_takes_what_was(stage, tmp_path):
    run = record(stage, "vacuum", tmp_path, unsettled=True)
    for at in changes_of(run)[::50]:
        for variant in VARIANTS:
            found = lose_power(run, at, variant, tmp_path, resume=False)
            assert found == [], (at, variant)


def test_a_killed_process_changes_nothing_after_its_end(stage, tmp_path):
    run = record(stage, "init", tmp_path)
    root = tmp_path / "killed" / "archive"
    with installed(Edge(kill_at(30))) as edge, pytest.raises(Killed):
        run.operation.run(root, stage.raw, 1)
    assert len(changes_of(type(run)(stage, run.operation, root, run.before, edge))) <= 30
    run.operation.run(root, stage.raw, 1)
    assert difference(content(root), content(stage.after(run.operation))) == []
