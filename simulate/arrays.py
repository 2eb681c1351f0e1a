"""Names for the arrays that the simulator passes around."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]
