"""Folders of running processes below ARCHIVE/scratch, and what killed ones left there."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from store import disk

# KIND-PID-HOST-RANDOM: a random part has no hyphen, a host may.
_NAME = re.compile(r"(?:duckdb|matplotlib)-(\d+)-(.+)-[^-]+")


def prefix(kind: str) -> str:
    """How a folder of this process's own begins; a random part without hyphens follows."""
    return f"{kind}-{os.getpid()}-{_host()}-"


def stale(scratch: Path) -> list[Path]:
    """The folders of processes of this host that no longer live.

    Another host's are left alone, for its processes cannot be seen from here.
    """
    found = []
    with suppress(OSError):
        for folder in scratch.iterdir():
            match = _NAME.fullmatch(folder.name)
            if match and match.group(2) == _host() and not _lives(int(match.group(1))):
                found.append(folder)
    return sorted(found)


def sweep(scratch: Path) -> None:
    """Remove the folders of processes of this host that no longer live."""
    for folder in stale(scratch):
        disk.discard(folder)


@cache
def _host() -> str:
    """This host's name, and which of its process tables is meant: a container has its own."""
    table = ""
    with suppress(OSError):
        table = "".join(re.findall(r"\d+", os.readlink("/proc/self/ns/pid")))  # noqa: PTH115
    return re.sub(r"[^A-Za-z0-9.-]", "_", platform.node()) + table


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
