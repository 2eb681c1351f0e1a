from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def astropy_offline() -> Iterator[None]:
    """astropy is the witness here; it must neither ask a network nor mind the wall clock."""
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
    ):
        yield
