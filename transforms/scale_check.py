"""The judgement of the scale check: an image whose pixels are not the prior's is not to be used.

It catches a distortion that nothing holds in a corner of the image, which a fit's chi-square does
not (Shupe et al., SciPy 2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.errors import TransformError
from transforms.scale_difference import ScaleDifferences

LIMIT_PERCENT = 1.0  # the paper's
# INFOBITS of ZTF: 'REL-PIXEL SCALE OUT OF RANGE: -0.20% - 2.00%'.
INFOBIT = 16
INFOBIT_RANGE_PERCENT = (-0.20, 2.00)


def judge_scale(
    found: ScaleDifferences, limit_percent: float = LIMIT_PERCENT
) -> tuple[NDArray[np.bool_], list[str | None]]:
    """Judge images by their farthest pixel scale.

    Returns
    -------
    is_bad : bool (n,), the scale differs by more than the limit somewhere. An image without WCS or
        prior is not judged.
    reasons : n texts with the rule, the difference and its place; None where an image is not bad.

    Raises
    ------
    TransformError : the limit is not positive.
    """
    if not limit_percent > 0:
        raise TransformError(f"a limit of {limit_percent} % judges every image bad")
    is_bad = np.abs(found.pct_worst) > limit_percent
    reasons: list[str | None] = [None] * is_bad.size
    for k in np.flatnonzero(is_bad):
        x, y, percent = (float(one[k]) for one in (found.worst_x, found.worst_y, found.pct_worst))
        reasons[k] = (
            f"pixel scale {percent:+.2f} % off its prior at x {x:.0f}, y {y:.0f}: "
            f"more than {limit_percent:g} %"
        )
    return is_bad, reasons


def breaks_infobit_16(found: ScaleDifferences) -> NDArray[np.bool_]:
    """ZTF's own rule: bool (n,), the difference leaves −0.20…+2.00 % somewhere."""
    least, most = INFOBIT_RANGE_PERCENT
    broken: NDArray[np.bool_] = (found.pct_min < least) | (found.pct_max > most)
    return broken
