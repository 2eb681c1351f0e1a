"""The edge to the file system: nothing in the store or the ingest changes files beside it."""

import ast
import errno
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from store import disk
from store.errors import ArchiveBusyError, UnwritableArchiveError
from store.layout import Layout
from store.locks import locked

REPO = Path(__file__).resolve().parents[2]
# The edge itself; readers' locks, which change nothing.
EXEMPT = {REPO / "store" / "disk.py", REPO / "store" / "hold.py"}
OF_OS = {
    "chmod", "chown", "fsync", "fdatasync", "ftruncate", "link", "makedirs", "mkdir", "mkfifo",
    "open", "pwrite", "pwritev", "posix_fallocate", "remove", "removedirs", "rename", "renames",
    "replace", "rmdir", "sendfile", "symlink", "truncate", "unlink", "utime", "write", "writev",
}  # fmt: skip
OF_PATHS = {
    "chmod", "hardlink_to", "mkdir", "rmdir", "symlink_to", "tofile", "touch", "unlink",
    "sink_parquet", "write_bytes", "write_csv", "write_ipc", "write_parquet", "write_text",
    "writeto",
}  # fmt: skip
FORBIDDEN_IMPORTS = {"fcntl", "shutil", "tempfile"}
OPENERS = {"open", "FileIO", "fdopen"}


def changes_of_files(tree):
    """Calls and imports that may change the file system, and the lines they stand in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names}
            modules = names if isinstance(node, ast.Import) else {node.module}
            for name in modules & FORBIDDEN_IMPORTS:
                yield node.lineno, f"import {name}"
            if isinstance(node, ast.ImportFrom) and node.module == "os":
                yield node.lineno, "from os import"
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, name) for name in suspicious(node))


def suspicious(call):
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = getattr(getattr(function, "value", None), "id", None)
    if owner == "disk":
        return
    if (owner == "os" and name in OF_OS) or (owner != "os" and name in OF_PATHS):
        yield name
    elif owner != "os" and name in OPENERS and writes(call):
        yield f"{name} to write"
    elif name in ("replace", "rename") and isinstance(function, ast.Attribute):
        # A path's takes one path; a string's takes two, a frame's a dictionary.
        if len(call.args) == 1 and not call.keywords and not is_mapping(call.args[0]):
            yield name
    elif owner == "pq" and name.startswith("write_") and not in_memory(call.args[1]):
        yield name


def writes(call):
    """Whether an opening call names a mode to write, or one that is not known."""
    given = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    words = [arg.value for arg in given if isinstance(arg, ast.Constant)]
    return any(isinstance(word, str) and set("wax+") & set(word) for word in words)


def in_memory(where):
    return getattr(where, "id", "") == "sink"


def is_mapping(node):
    return isinstance(node, ast.Dict | ast.DictComp)


@pytest.mark.parametrize("package", ["store", "ingest"])
def test_nothing_changes_files_but_through_the_edge(package):
    found = [
        f"{path.relative_to(REPO)}:{line}: {what}"
        for path in sorted((REPO / package).rglob("*.py"))
        if path not in EXEMPT
        for line, what in changes_of_files(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "import shutil", "from tempfile import mkdtemp", "from os import replace",
        "os.replace(a, b)", "path.unlink()", "path.open('wb')", "open(path, mode='a')",
        "FileIO(path, 'wb')", "a.replace(b)", "a.rename(b)", "folder.mkdir(parents=True)",
        "pq.write_table(rows, path)", "frame.write_parquet(path)", "rows.tofile(path)",
    ],
)  # fmt: skip
def test_the_search_for_changes_finds_them(text):
    assert list(changes_of_files(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "text.replace('a', 'b')", "frame.rename({'a': 'b'})", "path.open('rb')", "path.open()",
        "replace(run, start=1)", "disk.remove(path)", "pq.write_table(rows, sink)",
        "os.walk(folder)",
    ],
)  # fmt: skip
def test_the_search_for_changes_finds_nothing_else(text):
    assert not list(changes_of_files(ast.parse(text)))


class ShortWrites:
    """`os`, but a write takes three bytes at most."""

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, handle, data):
        return os.write(handle, data[:3])


def test_a_write_that_the_disk_takes_in_parts_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "os", ShortWrites())
    disk.write_file(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_tree_is_removed_without_following_its_links(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    gone = tmp_path / "gone"
    disk.make_folder(gone / "deeper")
    disk.make_link(gone / "deeper" / "link", str(kept))
    (gone / "file").touch()
    disk.remove_tree(gone)
    disk.remove_tree(gone)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept"]


def test_a_lock_is_shared_or_not_and_ends_with_its_block(tmp_path):
    path = tmp_path / "lock"
    with ExitStack() as held:
        held.enter_context(disk.lock(path, wait=False, shared=True))
        held.enter_context(disk.lock(path, wait=False, shared=True))
        assert not can_lock(path)
    with disk.lock(path, wait=False):
        assert not can_lock(path, shared=True)
    assert can_lock(path)
    assert can_lock(tmp_path)  # a folder may be locked as well


def can_lock(path, shared=False):
    try:
        with disk.lock(path, wait=False, shared=shared):
            return True
    except BlockingIOError:
        return False


def test_what_the_system_refuses_is_one_error_that_names_the_file(tmp_path):
    said = pytest.raises(UnwritableArchiveError, match=r"No such file or directory: .*nowhere")
    with said, disk.writing(tmp_path):
        disk.write_file(tmp_path / "nowhere" / "file", b"")


def test_an_error_of_the_block_that_holds_a_lock_stays_what_it_is(tmp_path):
    layout = Layout(tmp_path)
    with pytest.raises(BlockingIOError, match="mine"), locked(layout, "commit", wait=True):
        raise BlockingIOError("mine")
    busy = pytest.raises(ArchiveBusyError)
    with disk.lock(layout.lock("commit"), wait=False), busy, locked(layout, "commit", wait=False):
        pass
    with locked(layout, "commit", wait=False):
        pass


def test_a_reader_of_the_progress_who_goes_away_is_no_fault_of_the_archive(tmp_path):
    with pytest.raises(BrokenPipeError), disk.writing(tmp_path):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
