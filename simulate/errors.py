"""What can go wrong in a simulation.

SimulateError                  base of every error of the simulator
├── PlanError                  a field, channel, night, filter or number that cannot be
├── SkyFileError               the sky is not a reference PSF catalogue
└── UnwritableTargetError      the folder cannot be written
"""

from __future__ import annotations

from pathlib import Path

from store.errors import NightlakeError


class SimulateError(NightlakeError):
    """Base of every error of the simulator."""

    code = "simulate"


class PlanError(SimulateError, ValueError):
    """The plan asks for something that cannot be observed."""

    code = "simulate_plan"

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)


class SkyFileError(SimulateError, ValueError):
    """The file that should be the sky is not a reference PSF catalogue."""

    code = "simulate_sky"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"cannot serve as the sky ({reason})",
            where=path,
            hint="Give a reference PSF catalogue, ztf_FFFFFF_zX_cCC_qQ_refpsfcat.fits.",
        )


class UnwritableTargetError(SimulateError, PermissionError):
    """The folder for the simulated files cannot be written."""

    code = "simulate_unwritable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"cannot write ({reason})",
            where=path,
            hint="Check its permissions, free space and mount.",
        )
