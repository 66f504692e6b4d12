"""How many examples a property is tried with."""

import os

from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("default", deadline=None)
# `make mutants` runs these tests a thousand times over, and each run must find the same.
settings.register_profile(
    "mutants",
    max_examples=10,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
