"""One small survey for all tests that only look."""

from __future__ import annotations

from datetime import date

import pytest

from simulate import SurveyPlan, SurveySummary, simulate_survey

PLAN = SurveyPlan(
    nights=(date(2024, 1, 10), date(2024, 1, 12)),
    fields=(655,),
    channels=(3, 50),
    filters=(1, 2),
    exposures_per_night=2,
    sources_per_quadrant=1000,
    seed=7,
    bad_fraction=0.3,
)


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> SurveySummary:
    return simulate_survey(tmp_path_factory.mktemp("survey"), PLAN, workers=1)
