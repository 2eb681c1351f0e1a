"""Where the real sample files are; tests that need them are skipped where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"
REAL = Path(os.environ.get("NIGHTLAKE_REAL_DATA", _BESIDE))
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real sample files are not here")
