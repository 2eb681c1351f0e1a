"""What holds for all tests: those that make up their cases make up the same ones every time."""

from hypothesis import HealthCheck, settings

# A loaded machine is no fault, and a gate that asks other questions every day is none that a change
# could pass: who looks further does it by `make torture`.
settings.register_profile(
    "gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")
