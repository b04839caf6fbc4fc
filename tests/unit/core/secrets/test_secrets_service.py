"""Users' secrets: who may have which, and that values come out for their own user alone."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory
from tests.unit.core.secrets.values import values_of

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import new_key
from spunto.core.access.model import ActorKind, ApiKeyId, UserId
from spunto.core.access.policy import Scope
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import MAX_OWNER_SECRETS, MAX_VALUE_BYTES, SecretId, bound_to
from spunto.core.secrets.names import require_name

ORG_KEY: dict[str, Any] = {"kind": ActorKind.API_KEY, "user_id": None, "api_key_id": ApiKeyId("key_1")}


async def values(memory: Memory, *names: str, user_id: str = USER) -> dict[str, str]:
    found = await values_of(memory.store, EnvelopeCipher(memory.keyring), UserId(user_id), names)
    assert found is not None
    return dict(found)


async def test_a_secret_is_made_and_then_given_another_value(memory: Memory) -> None:
    made, is_new = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("one"))
    again, is_new_again = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("two"))

    assert (is_new, is_new_again) == (True, False)
    assert (again.id, again.version) == (made.id, 2)
    assert await values(memory, "TOKEN") == {"TOKEN": "two"}


async def test_values_come_out_by_name_for_their_user_alone(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="MINE", value=Secret("1"))
    await memory.secrets.put(memory.owner, name="UNASKED", value=Secret("2"))
    await memory.secrets.put(memory.member, name="MINE", value=Secret("3"))

    assert await values(memory, "MINE", "MISSING") == {"MINE": "1"}
    assert await values(memory, "MINE", user_id=OTHER_USER) == {"MINE": "3"}
    assert await values(memory, "MINE", user_id="usr_nobody") == {}


async def test_a_user_with_an_unreadable_secret_gets_none_instead_of_some(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="GOOD", value=Secret("1"))
    memory.keyring._keys = (new_key(),)
    await memory.secrets.put(memory.owner, name="LATER", value=Secret("2"))

    cipher = EnvelopeCipher(memory.keyring)
    assert await values_of(memory.store, cipher, USER, ["GOOD", "LATER"]) is None
    assert await values(memory, "LATER") == {"LATER": "2"}


async def test_each_sees_and_deletes_only_their_own(memory: Memory) -> None:
    mine, _ = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("1"))

    with pytest.raises(NotFound) as caught:
        await memory.secrets.delete(memory.member, mine.id)
    assert caught.value.code == "secret_not_found"
    assert (await memory.secrets.list(memory.member, PageRequest())).items == []

    await memory.secrets.delete(memory.owner, mine.id)

    assert (await memory.secrets.list(memory.owner, PageRequest())).items == []
    assert await values(memory, "TOKEN") == {}


async def test_every_change_is_audited_without_the_name(memory: Memory) -> None:
    secret, _ = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("1"))
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("2"))
    await memory.secrets.delete(memory.owner, secret.id)

    assert await memory.audit(ORG) == {"secret.put": 2, "secret.delete": 1}


async def test_a_lost_race_is_run_again(memory: Memory) -> None:
    async def interfere() -> None:
        await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("theirs"))

    memory.racing.interference = [interfere]
    _, is_new = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("ours"))

    assert is_new is False
    assert await values(memory, "TOKEN") == {"TOKEN": "ours"}


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        ({**ORG_KEY, "scopes": frozenset({Scope.ALL})}, "user_required"),
        ({"kind": ActorKind.API_KEY, "scopes": frozenset(Scope) - {Scope.ALL}}, "missing_scope"),
    ],
)
async def test_secrets_are_for_people_and_for_keys_that_may_do_all(
    memory: Memory, actor: dict[str, Any], code: str
) -> None:
    stranger = an_actor(**actor)
    secret, _ = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("1"))

    for attempt in (
        memory.secrets.list(stranger, PageRequest()),
        memory.secrets.put(stranger, name="TOKEN", value=Secret("2")),
        memory.secrets.delete(stranger, secret.id),
    ):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == code
    assert await values(memory, "TOKEN") == {"TOKEN": "1"}


@pytest.mark.parametrize("name", ["A", "_", "NPM_TOKEN", "A1", "MY_GIT_TOKEN", "PATHS", "USERS", "X" * 64])
def test_names_are_those_of_variables(name: str) -> None:
    require_name(name)


@pytest.mark.parametrize("name", ["", "a", "1A", "A-B", "A\n", "Ä", "A=B", "X" * 65])
def test_other_names_are_invalid(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        require_name(name)

    assert caught.value.code == "secret_name_invalid"


RESERVED = [
    "PATH",
    "HOME",
    "SHELL",
    "USER",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "LD_PRELOAD",
    "LD_",
    "DYLD_X",
    "PYTHONPATH",
    "PYTHON",
    "NODE_OPTIONS",
    "PERL5LIB",
    "RUBYOPT",
    "GIT_SSH",
    "SSH_AUTH_SOCK",
    "DOCKER_HOST",
    "SPUNTO_WORKER_ID",
    "WORKER_SLUG",
    "BASE_DOMAIN",
    "HTTP_PROXY",
    "NO_PROXY",
]


@pytest.mark.parametrize("name", RESERVED)
def test_names_that_programs_obey_are_reserved(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        require_name(name)

    assert caught.value.code == "secret_name_reserved"


@pytest.mark.parametrize("value", ["", "a\0b", "x" * (MAX_VALUE_BYTES + 1), "ü" * (MAX_VALUE_BYTES // 2 + 1)])
async def test_an_impossible_value_is_refused_without_repeating_it(memory: Memory, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        await memory.secrets.put(memory.owner, name="TOKEN", value=Secret(value))

    assert caught.value.code == "secret_value_invalid"
    assert value == "" or value not in caught.value.message


async def test_the_largest_value_comes_back(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("x" * MAX_VALUE_BYTES))

    assert await values(memory, "TOKEN") == {"TOKEN": "x" * MAX_VALUE_BYTES}


async def test_a_user_s_values_fit_a_frame_together(memory: Memory) -> None:
    for name in ("A", "B", "C", "D"):
        await memory.secrets.put(memory.owner, name=name, value=Secret("x" * MAX_VALUE_BYTES))

    with pytest.raises(Conflict) as caught:
        await memory.secrets.put(memory.owner, name="E", value=Secret("x"))
    assert caught.value.code == "secrets_full"

    await memory.secrets.put(memory.owner, name="D", value=Secret("x"))
    await memory.secrets.put(memory.owner, name="E", value=Secret("x"))
    await memory.secrets.put(memory.member, name="E", value=Secret("x"))


async def test_a_user_has_so_many_secrets_and_no_more(memory: Memory) -> None:
    for number in range(MAX_OWNER_SECRETS):
        await memory.secrets.put(memory.owner, name=f"N{number}", value=Secret("x"))

    with pytest.raises(Conflict):
        await memory.secrets.put(memory.owner, name="MORE", value=Secret("x"))
    await memory.secrets.put(memory.owner, name="N1", value=Secret("y"))


async def test_more_than_fits_a_frame_is_not_handed_out(memory: Memory) -> None:
    for name in ("A", "B", "C", "D"):
        await memory.secrets.put(memory.owner, name=name, value=Secret("x" * MAX_VALUE_BYTES))
    async with memory.store() as tx:
        [known, *_] = await tx.secrets.of_owners([USER])
        place = bound_to(owner_id=USER, secret_id=SecretId("sec_9"), name="E", version=1)
        sealed = EnvelopeCipher(memory.keyring).seal(Secret("x"), bound_to=place)
        await tx.secrets.add(replace(known, id=SecretId("sec_9"), name="E", sealed=sealed))
        await tx.commit()

    assert await values_of(memory.store, EnvelopeCipher(memory.keyring), USER, "ABCDE") is None
    assert await values(memory, "E") == {"E": "x"}
