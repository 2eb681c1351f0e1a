"""To import this is to be ready for an ingest: all imports, all compiled kernels.

For processes that do nothing else: scipy, where it is installed, cannot be imported in them.
"""

from __future__ import annotations

import sys

# numba loads scipy for its BLAS if it is there, in a tenth of a second; no kernel calls it.
sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]

import ingest.batch
import ingest.merge  # noqa: F401
from ingest.compile import compile_ingest

compile_ingest()
