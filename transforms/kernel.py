"""How kernels are compiled: cached inside the installation, or not cached at all.

Numba by itself caches beside the module and, where that cannot be written, in the user's HOME.
Nightlake writes no file outside its installation, and a shared installation is often read-only:
there kernels are loaded from the cache that `make setup` left, and compiled in memory when it has
none. `python -m transforms.compile` fills the cache.

Sixteen processes may fill it at once: numba writes each file under a name of its own and renames
it, so the worst is that a kernel is compiled twice.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numba
from numba.core import config
from numba.core.caching import InTreeCacheLocator
from numba.core.runtime.nrt import rtsys

PACKAGE = Path(__file__).resolve().parent
CACHE_FOLDER = PACKAGE / "__pycache__"

# a*b + c in one rounding; nothing that assumes away NaN, infinities or the order of sums.
FAST_AND_SAFE = {"contract"}


@cache
def cache_is_writable() -> bool:
    """Whether compiled kernels can be stored beside the modules they come from."""
    try:
        CACHE_FOLDER.mkdir(exist_ok=True)
        # os.access is no witness: it says yes to root on a full disk, and ACLs confuse it.
        with tempfile.TemporaryFile(dir=CACHE_FOLDER):
            return True
    except OSError:
        return False


@cache
def source_stamp() -> bytes:
    """Hash of all modules of the package: kernels inline functions of other modules."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


class InstallationCache(InTreeCacheLocator):  # type: ignore[misc]
    """Numba's cache in the package's `__pycache__`, wanted even when it is read-only."""

    def ensure_cache_path(self) -> None:
        """Refuse only a folder that is missing; numba's own also tries to write."""
        if not CACHE_FOLDER.is_dir():
            raise NotADirectoryError(CACHE_FOLDER)

    def get_source_stamp(self) -> bytes:
        """What a cached kernel must have been compiled from."""
        return source_stamp()


@contextmanager
def _located_in_installation() -> Iterator[None]:
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = f"transforms.kernel.{InstallationCache.__name__}"
    try:
        yield
    finally:
        config.CACHE_LOCATOR_CLASSES = before


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function with numba on its first call, without the GIL.

    Nothing is compiled at import. The compiled code is cached in the installation where possible.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": FAST_AND_SAFE, "error_model": "numpy"}
    writable = cache_is_writable()
    if not CACHE_FOLDER.is_dir() or not hasattr(config, "CACHE_LOCATOR_CLASSES"):
        return numba.njit(cache=writable, **options)(function)
    with _located_in_installation():
        compiled = numba.njit(cache=True, **options)(function)
    compiled._cache.load_overload = partial(_load, compiled._cache)
    if not writable:
        compiled._cache.save_overload = _keep_in_memory
    return compiled


def _load(cached: Any, signature: object, context: object) -> Any:
    """Load compiled code with what code needs to run; None if there is none.

    Numba's own loader gets ready to compile first, which imports ninety modules and takes longer
    than to load all kernels. Its compiler gets ready by itself.
    """
    rtsys.initialize(context)
    return cached._load_overload(signature, context)


def _keep_in_memory(signature: object, data: object) -> None:
    """Stand in for numba's writer where the installation is read-only."""
