"""Registers the fixtures that all tests may ask for, and how many examples the short run takes."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures.engines", "tests.fixtures.postgres", "tests.fixtures.routes"]

# How long an example takes says more of what else the machine does than of the test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("patient"), max_examples=20)
settings.load_profile("patient")
