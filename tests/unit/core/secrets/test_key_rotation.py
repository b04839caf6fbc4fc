"""Keys: the check at a start, and the move from one to the next while secrets are read and written."""

import asyncio
from typing import Any

import pytest
from tests.unit.core.builders import ORG, USER
from tests.unit.core.memory import Memory
from tests.unit.core.secrets.values import values_of

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import MemoryKeyring, new_key
from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.secrets import rotation
from spunto.core.secrets.keeper import SecretKeeper
from spunto.core.secrets.rotation import KeyRotation, KeyUse
from spunto.core.secrets.service import SecretService


def with_keys(memory: Memory, *keys: Any) -> KeyRotation:
    return KeyRotation(memory.racing, cipher=EnvelopeCipher(MemoryKeyring(*keys)))


async def filled(memory: Memory, count: int = 3) -> None:
    await memory.rotation.check()
    for number in range(count):
        await memory.secrets.put(memory.owner, name=f"N{number}", value=Secret(f"value {number}"))


async def values(memory: Memory, count: int = 3) -> dict[str, str]:
    found = await values_of(memory.store, EnvelopeCipher(memory.keyring), USER, [f"N{n}" for n in range(count)])
    assert found is not None
    return dict(found)


async def test_the_first_check_leaves_a_canary_that_later_ones_try(memory: Memory) -> None:
    assert not await memory.rotation.is_used()

    await memory.rotation.check()
    await memory.rotation.check()

    assert await memory.rotation.is_used()
    with pytest.raises(Invalid) as caught:
        await with_keys(memory, new_key()).check()
    assert caught.value.code == "keyring_mismatch"


async def test_a_key_that_secrets_need_must_be_there(memory: Memory) -> None:
    old, new = memory.keyring.all()[0], new_key()
    await filled(memory)
    memory.keyring.add(new)
    await memory.rotation._rewrap_canary()

    await with_keys(memory, new, old).check()
    with pytest.raises(Invalid) as caught:
        await with_keys(memory, new).check()

    assert caught.value.code == "keyring_mismatch"
    assert old.id in caught.value.message


async def test_a_rotation_moves_everything_and_the_old_key_may_go(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    old, new = memory.keyring.all()[0], new_key()
    await filled(memory, 5)
    before = await values(memory, 5)
    assert await memory.rotation.is_done()
    memory.keyring.add(new)
    assert not await memory.rotation.is_done()

    assert await memory.rotation.rewrap_all() == 5

    assert await memory.rotation.is_done()
    assert list(await memory.rotation.status()) == [
        KeyUse(key_id=new.id, secrets=5, is_current=True, is_known=True),
        KeyUse(key_id=old.id, secrets=0, is_current=False, is_known=True),
    ]
    memory.keyring._keys = (new,)
    await memory.rotation.check()
    assert await values(memory, 5) == before


async def test_a_rotation_moves_what_signs_for_webhooks_too(memory: Memory) -> None:
    await filled(memory, 1)
    old = memory.keyring.all()[0]
    made = await memory.webhooks.create(memory.owner, ORG, url="https://hooks.example.org/")
    await memory.webhooks.rotate_secret(memory.owner, ORG, made.webhook.id)
    memory.keyring.add(new_key())
    assert {use.key_id: use.secrets for use in await memory.rotation.status()}[old.id] == 3

    assert await memory.rotation.rewrap_all() == 3

    memory.keyring._keys = (memory.keyring.all()[0],)
    await memory.rotation.check()
    await memory.courier.handle(made.webhook.id)
    signed = [headers["webhook-signature"].split() for _, headers, _ in memory.receiver.sent]
    assert [len(signatures) for signatures in signed] == [2, 2]


async def test_a_key_that_signs_for_webhooks_must_be_there(memory: Memory) -> None:
    await memory.rotation.check()
    old = memory.keyring.all()[0]
    await memory.webhooks.create(memory.owner, ORG, url="https://hooks.example.org/")
    memory.keyring.add(new_key())
    await memory.rotation._rewrap_canary()
    assert not await memory.rotation.is_done()

    with pytest.raises(Invalid) as caught:
        await with_keys(memory, memory.keyring.all()[0]).check()

    assert old.id in caught.value.message


async def test_a_broken_off_rotation_goes_on_where_it_was(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    await filled(memory, 5)
    memory.keyring.add(new_key())
    await memory.rotation._batch("")

    assert not await memory.rotation.is_done()
    assert await memory.rotation.rewrap_all() == 3


async def test_a_value_that_is_written_meanwhile_is_not_lost(memory: Memory) -> None:
    await filled(memory)
    memory.keyring.add(new_key())

    async def interfere() -> None:
        await memory.secrets.put(memory.owner, name="N1", value=Secret("newer"))

    memory.racing.interference = [interfere]
    await memory.rotation._batch("")
    await memory.rotation.rewrap_all()

    assert await values(memory) == {"N0": "value 0", "N1": "newer", "N2": "value 2"}
    assert await memory.rotation.is_done()


async def test_what_can_not_be_moved_does_not_keep_the_rest(memory: Memory) -> None:
    await filled(memory, 1)
    lost = memory.keyring.all()[0]
    memory.keyring._keys = (new_key(),)
    await memory.secrets.put(memory.owner, name="N1", value=Secret("value 1"))
    between = memory.keyring.all()[0]
    memory.keyring.add(new_key())
    async with memory.store() as tx:
        canary = await tx.canary.find()
        assert canary is not None
        await tx.canary.replace(canary, EnvelopeCipher(memory.keyring).seal(Secret("x"), bound_to=b""))
        await tx.commit()

    with pytest.raises(Unavailable) as caught:
        await memory.rotation.rewrap_all()

    assert caught.value.code == "secret_key_missing"
    used = {use.key_id: (use.secrets, use.is_known) for use in await memory.rotation.status()}
    assert used == {memory.keyring.all()[0].id: (1, True), between.id: (0, True), lost.id: (1, False)}


async def test_readers_and_writers_notice_nothing_of_a_rotation(memory: Memory) -> None:
    await filled(memory, 20)
    reads = 0

    async def read() -> None:
        nonlocal reads
        for _ in range(50):
            found = await values(memory, 20)
            assert len(found) == 20
            reads += 1
            await asyncio.sleep(0)

    async def write(name: str) -> None:
        for number in range(25):
            await memory.secrets.put(memory.owner, name=name, value=Secret(f"{number}"))
            await asyncio.sleep(0)

    async def rotate() -> None:
        for _ in range(5):
            memory.keyring.add(new_key())
            await memory.rotation.rewrap_all()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for work in (read(), write("N1"), write("N2"), rotate()):
            group.create_task(work)

    assert reads == 50
    assert (await values(memory, 3))["N1"] == "24"
    assert await memory.rotation.is_done()


async def test_a_rotation_is_not_done_before_the_canary_is_moved(memory: Memory) -> None:
    await memory.rotation.check()
    memory.keyring.add(new_key())

    assert not await memory.rotation.is_done()
    assert await memory.rotation.rewrap_all() == 0
    assert await memory.rotation.is_done()


async def test_what_a_late_server_wraps_by_the_old_key_is_moved_as_well(memory: Memory) -> None:
    await filled(memory)
    keeper = SecretKeeper(
        cipher=EnvelopeCipher(MemoryKeyring(*memory.keyring.all())), clock=memory.clock, ids=memory.ids
    )
    late = SecretService(memory.store, keeper=keeper, auditor=memory.auditor)
    memory.keyring.add(new_key())

    async def nothing() -> None:
        return None

    async def write_late() -> None:
        await late.put(memory.owner, name="LATE", value=Secret("late"))

    memory.racing.interference = [nothing, write_late]

    assert await memory.rotation.rewrap_all() == 4
    assert await memory.rotation.is_done()
