"""Registers the doors' house as a fixture."""

import pytest
from tests.unit.entrypoints.http.house import House, build_house


@pytest.fixture
def house() -> House:
    return build_house()
