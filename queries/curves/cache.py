"""What is remembered of immutable files: the latest used, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")

# Twenty nights of a full pixel as decoded columns (100 bytes a row), with the nights' images.
DEFAULT_LIMIT_BYTES = 512 << 20


class ByteCache:
    """A bounded memory, shared by all threads of a process.

    Keys name immutable things (a published file and what is taken of it), so that nothing in it is
    ever wrong. Two threads that miss the same thing at once both make it: that costs time only.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], tuple[Value, int]]) -> Value:
        """What is remembered as `key`; else what `make` gives, with its size in bytes."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                value: Value = found[0]
                return value
        value, n_bytes = make()
        with self._lock:
            self._drop(key)
            self._held[key] = (value, n_bytes)
            self._bytes += n_bytes
            # What alone is more than the limit is forgotten at once.
            while self._bytes > self.limit_bytes:
                self._drop(next(iter(self._held)))
        return value

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    @property
    def held_bytes(self) -> int:
        """Bytes that are remembered now."""
        return self._bytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self._bytes = 0

    def _drop(self, key: Hashable) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self._bytes -= found[1]


# Of this process: snapshots of one archive share most of their files.
SHARED = ByteCache()
