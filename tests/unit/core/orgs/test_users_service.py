"""A person's own settings and SSH keys."""

from typing import Any

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, an_actor
from tests.unit.core.memory import Memory
from tests.unit.core.orgs.test_ssh_keys import ED25519, KEYS, a_line

from spunto.core.access.model import ActorKind, ApiKeyId
from spunto.core.access.policy import Scope
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound
from spunto.core.orgs.ssh_keys import MAX_KEYS


async def test_settings_change_by_what_is_named(memory: Memory) -> None:
    before = await memory.users.get(memory.owner)

    await memory.users.update(memory.owner, {"dotfiles_repo": "https://host/dots"})
    named = await memory.users.update(memory.owner, {"name": "Ada"})
    cleared = await memory.users.update(memory.owner, {"dotfiles_repo": None})

    assert (named.name, named.dotfiles_repo, named.email) == ("Ada", "https://host/dots", before.email)
    assert (cleared.name, cleared.dotfiles_repo) == ("Ada", None)
    assert await memory.users.get(memory.owner) == cleared
    assert await memory.audit(ORG) == {"user.update": 3}


async def test_keys_are_their_owner_s_alone(memory: Memory) -> None:
    key = await memory.users.add_ssh_key(memory.owner, public_key=f"{ED25519} ada@laptop")

    assert (key.name, list(await memory.users.ssh_keys(memory.owner))) == ("ada@laptop", [key])
    assert list(await memory.users.ssh_keys(memory.member)) == []
    with pytest.raises(NotFound):
        await memory.users.remove_ssh_key(memory.member, key.id)
    with pytest.raises(Conflict):
        await memory.users.add_ssh_key(memory.owner, public_key=ED25519)

    await memory.users.remove_ssh_key(memory.owner, key.id)

    assert list(await memory.users.ssh_keys(memory.owner)) == []
    assert await memory.audit(ORG) == {"ssh_key.add": 1, "ssh_key.remove": 1}


async def test_a_user_has_so_many_keys_and_no_more(memory: Memory) -> None:
    for number in range(MAX_KEYS):
        await memory.users.add_ssh_key(memory.owner, public_key=a_line("ssh-ed25519", number.to_bytes(32, "big")))

    with pytest.raises(Conflict) as caught:
        await memory.users.add_ssh_key(memory.owner, public_key=ED25519)

    assert caught.value.code == "ssh_keys_full"


KEY: dict[str, Any] = {"kind": ActorKind.API_KEY, "scopes": frozenset({Scope.ALL})}


async def test_no_api_key_adds_or_removes_an_ssh_key(memory: Memory) -> None:
    key = await memory.users.add_ssh_key(memory.member, public_key=KEYS["ssh-rsa"], name="rsa")
    api_key = an_actor(user_id=OTHER_USER, **KEY)

    assert list(await memory.users.ssh_keys(api_key)) == [key]
    for attempt in (
        memory.users.add_ssh_key(api_key, public_key=ED25519),
        memory.users.remove_ssh_key(api_key, key.id),
    ):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == "session_required"


async def test_an_organization_s_key_is_nobody(memory: Memory) -> None:
    nobody = an_actor(**{**KEY, "user_id": None, "api_key_id": ApiKeyId("key_1")})

    for attempt in (memory.users.get(nobody), memory.users.update(nobody, {}), memory.users.ssh_keys(nobody)):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == "user_required"
