"""The one composition: everything it promises can be built."""

import pytest
from dependency_injector.providers import Dependency, Provider

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import MemoryKeyring
from spunto.adapters.crypto.passes import KeyringPassKeys
from spunto.adapters.crypto.seal import KeyringSeal
from spunto.adapters.memory.store import MemoryStore
from spunto.adapters.webhooks.sender import HttpWebhookSender
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.webhooks.addresses import AddressRule
from spunto.entrypoints.container import Container


def a_container() -> Container:
    clock = ManualClock()
    wakeups = Wakeups(clock)
    store = MemoryStore(wakeups)
    return Container(
        clock=clock,
        wakeups=wakeups,
        store=store,
        queue=store.queue,
        cipher=EnvelopeCipher(MemoryKeyring()),
        seal=KeyringSeal(MemoryKeyring()),
        pass_keys=KeyringPassKeys(MemoryKeyring()),
        timeline_id="t",
        report=lambda kind, subject_id, error: None,
        webhook_sender=HttpWebhookSender(AddressRule()),
    )


PROVIDERS = {name: each for name, each in Container.providers.items() if not isinstance(each, Dependency)}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_every_provider_builds(name: str) -> None:
    provider: Provider[object] = getattr(a_container(), name)

    assert provider() is not None


def test_services_share_their_links_and_are_made_once() -> None:
    container = a_container()

    assert container.links() is container.links()
    assert container.gateway().links is container.links()
    assert container.workers() is container.workers()
    assert container.worker_loop() is not container.worker_loop()
