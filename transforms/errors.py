"""Errors of the transforms: wrong arguments, never wrong files.

TransformError(ValueError)    arrays or settings that no result can be computed from
"""


class TransformError(ValueError):
    """Arrays or settings that no result can be computed from."""

    code = "transform"
