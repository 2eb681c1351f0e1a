"""A simulated survey in the survey's own file formats, with its truth.

>>> from datetime import date
>>> from pathlib import Path
>>> from simulate import SurveyPlan, simulate_survey
>>> plan = SurveyPlan(nights=(date(2024, 1, 10),), fields=(655,), channels=(50,))
>>> summary = simulate_survey(Path("raw"), plan)  # doctest: +SKIP
"""

from simulate.errors import PlanError, SimulateError, SkyFileError, UnwritableTargetError
from simulate.plan import SurveyPlan, SurveySummary
from simulate.survey import simulate_survey

__all__ = [
    "PlanError",
    "SimulateError",
    "SkyFileError",
    "SurveyPlan",
    "SurveySummary",
    "UnwritableTargetError",
    "simulate_survey",
]
