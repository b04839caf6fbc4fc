"""Registers the fixtures that all tests may ask for, and how many examples the short run takes."""

from hypothesis import settings

pytest_plugins = ["tests.fixtures.engines", "tests.fixtures.postgres", "tests.fixtures.routes"]

settings.register_profile("quick", max_examples=20)
