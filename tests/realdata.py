"""Where the real sample files are, by NIGHTLAKE_REAL_DATA; without it their tests are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("NIGHTLAKE_REAL_DATA") or "absent: NIGHTLAKE_REAL_DATA is not set")
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real sample files are not here")
