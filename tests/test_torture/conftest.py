"""The stage on which archives are tortured, made once."""

import pytest
from torture.scenario import Stage, steady


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("torture"))


@pytest.fixture
def stage(made):
    """Archives before and after each operation; code and machine stay the same meanwhile."""
    with steady():
        yield made
