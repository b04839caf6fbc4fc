"""The fake provider keeps the contract of the real one."""

import pytest

from spunto.adapters.memory.identity import FakeIdentityProvider
from spunto.core.kernel.clock import ManualClock
from spunto.testing.contracts.identity_provider import IdentityProviderContract


class World:
    def __init__(self) -> None:
        self.provider = FakeIdentityProvider(clock=ManualClock())
        self.consent = self.provider.consent

    def go_down(self) -> None:
        self.provider.is_down = True


class TestIdentityProvider(IdentityProviderContract):
    @pytest.fixture
    def world(self) -> World:
        return World()
