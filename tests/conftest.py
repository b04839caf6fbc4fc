"""Registers the fixtures that all tests may ask for."""

pytest_plugins = ["tests.fixtures.engines", "tests.fixtures.postgres"]
