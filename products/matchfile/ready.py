"""To import this is to be ready to make matchfiles: all imports, all compiled kernels."""

from __future__ import annotations

import products.matchfile.job  # noqa: F401
from transforms.compile import compile_for_matchfiles

compile_for_matchfiles()
