"""What holds for all tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Tests that make up their cases make up the same ones every time: a change passes the gate or does
# not, whatever the day; `make torture` looks further. A loaded machine is no fault.
settings.register_profile(
    "gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")


@pytest.fixture(scope="session", autouse=True)
def astropy_offline() -> Iterator[None]:
    """astropy is the witness here; it must neither ask a network nor mind the wall clock."""
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
    ):
        yield


@pytest.fixture(autouse=True)
def nothing_is_left_to_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test of another program's making leaves open is told here, where it may be, and not
    amid whichever test comes when it is collected.
    """
    yield
    if any(mark.args == ("ignore",) for mark in request.node.iter_markers("filterwarnings")):
        gc.collect()
