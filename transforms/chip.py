"""The chip of a ZTF quadrant, in pixels: FITS convention, the centre of the first pixel is 1."""

from __future__ import annotations

CHIP_PX = (3072, 3080)  # NAXIS1, NAXIS2
QUADRANT_CENTRE_PIX = (1536.5, 1540.5)
