"""Keys are rotated on both databases while other processes' secrets are written and read, and none is ever lost."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.core.secrets.values import values_of

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import KeyringFile, new_key
from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.model import Membership, Organization, User
from spunto.core.secrets.keeper import SecretKeeper
from spunto.core.secrets.model import SecretId, StoredSecret, bound_to
from spunto.core.secrets.rotation import KeyRotation
from spunto.core.secrets.service import SecretService
from spunto.entrypoints.library import NoKeyring, Spunto

USERS = 6
NAMES = [f"N{number}" for number in range(200)]
WRITTEN = NAMES[:3]
ORG = OrgId(f"org_{1:026}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/spunto.db"
    return str(request.getfixturevalue("postgres_database"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What one server, or the errand beside it, has of its own: a store, and the keyring as it last read it."""

    store: SqlStore
    secrets: SecretService
    rotation: KeyRotation
    keyring: KeyringFile


@asynccontextmanager
async def a_process(url: str, keyring: Path) -> AsyncIterator[Process]:
    clock = SystemClock()
    store = await SqlStore.open(url, Wakeups(clock), pool_size=4)
    file = KeyringFile(keyring)
    cipher = EnvelopeCipher(file)
    try:
        yield Process(
            store=store,
            secrets=SecretService(
                store,
                keeper=SecretKeeper(cipher=cipher, clock=clock, ids=TimeOrderedIds(clock)),
                auditor=Auditor(clock=clock, ids=TimeOrderedIds(clock)),
            ),
            rotation=KeyRotation(store, cipher=cipher),
            keyring=file,
        )
    finally:
        await store.aclose()


def person(number: int) -> Actor:
    user_id = UserId(f"usr_{number:026}")
    return Actor(kind=ActorKind.USER, user_id=user_id, credential_id="ses_1", roles={})


async def values(process: Process, number: int, names: Collection[str]) -> Mapping[str, str]:
    """None of them where they can't all be had."""
    return await values_of(process.store, EnvelopeCipher(process.keyring), UserId(f"usr_{number:026}"), names) or {}


async def fill(process: Process) -> None:
    """More secrets than a batch holds."""
    cipher, now, ids = EnvelopeCipher(process.keyring), datetime.now(UTC), TimeOrderedIds(SystemClock())
    async with process.store() as tx:
        await tx.organizations.add(Organization(id=ORG, name="all", slug="all", created_at=now))
        for user_id in (person(number).user_id for number in range(USERS)):
            assert user_id is not None
            await tx.members.add_user(User(id=user_id, name="x", email=f"{user_id}@example.org", created_at=now))
            await tx.members.add(Membership(org_id=ORG, user_id=user_id, role=Role.MEMBER, joined_at=now))
        for number, name in itertools.product(range(USERS), NAMES):
            user_id, secret_id, value = person(number).user_id, SecretId(ids.new("sec")), Secret(f"{number} {name}")
            assert user_id is not None
            place = bound_to(owner_id=user_id, secret_id=secret_id, name=name, version=1)
            await tx.secrets.add(
                StoredSecret(
                    id=secret_id,
                    owner_id=user_id,
                    name=name,
                    sealed=cipher.seal(value, bound_to=place),
                    size_bytes=len(value.reveal()),
                    created_at=now,
                    updated_at=now,
                )
            )
        await tx.commit()


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_rotation_under_load_loses_no_secret_and_fails_no_reader(url: str, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring"
    await upgrade(url)
    async with AsyncExitStack() as stack:
        server, other, errand = [await stack.enter_async_context(a_process(url, keyring)) for _ in range(3)]
        first = server.keyring.make()
        await server.rotation.check()
        await fill(server)
        reads, missing, stopping = 0, 0, asyncio.Event()

        async def read() -> None:
            nonlocal reads, missing
            while not stopping.is_set():
                for number in range(USERS):
                    found = await values(other, number, NAMES)
                    reads += 1
                    # Reading a SQLite file never waits, and would leave the writers no turn.
                    await asyncio.sleep(0)
                    missing += len(NAMES) - len(found)

        async def write(process: Process, number: int) -> int:
            count = 0
            while not stopping.is_set():
                count += 1
                for name in WRITTEN:
                    await process.secrets.put(person(number), name=name, value=Secret(f"{number} {name} {count}"))
            return count

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            writers = [group.create_task(write(server, 0)), group.create_task(write(other, 1))]
            moved = []
            for _ in range(2):
                errand.keyring.add(new_key())
                moved.append(await errand.rotation.rewrap_all())
            stopping.set()

        assert missing == 0
        assert reads > 0
        assert min(moved) >= 500
        assert await errand.rotation.is_done()
        for number, task in enumerate(writers):
            written = {name: f"{number} {name} {task.result()}" for name in WRITTEN}
            assert await values(server, number, WRITTEN) == written
        used = {use.key_id: use.secrets for use in await errand.rotation.status()}
        assert used[errand.keyring.all()[0].id] == USERS * len(NAMES)
        assert used[first.id] == 0


async def test_a_start_makes_the_first_keyring_and_never_a_second(url: str, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring"
    with pytest.raises(Invalid) as caught:
        async with Spunto.on_database(url, keyring=keyring, no_keyring=NoKeyring.REFUSE):
            pass
    assert (caught.value.code, keyring.exists()) == ("keyring_missing", False)

    async with Spunto.on_database(url, keyring=keyring):
        assert keyring.exists()

    keyring.rename(tmp_path / "elsewhere")
    with pytest.raises(Invalid) as caught:
        async with Spunto.on_database(url, keyring=keyring):
            pass
    assert (caught.value.code, keyring.exists()) == ("keyring_missing", False)
    async with Spunto.on_database(url, keyring=tmp_path / "elsewhere", no_keyring=NoKeyring.REFUSE):
        pass


async def test_a_start_on_a_foreign_keyring_is_refused(url: str, tmp_path: Path) -> None:
    async with Spunto.on_database(url, keyring=tmp_path / "own"):
        pass
    KeyringFile(tmp_path / "foreign").make()

    with pytest.raises(Invalid) as caught:
        async with Spunto.on_database(url, keyring=tmp_path / "foreign"):
            pass

    assert caught.value.code == "keyring_mismatch"
