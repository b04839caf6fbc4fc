"""Signing a terminal in: who decides, how often one may look, and that a code is good once."""

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import OTHER_USER, USER
from tests.unit.core.memory import Memory

from spunto.core.access.policy import Scope
from spunto.core.access.sessions import Opened
from spunto.core.kernel.errors import Forbidden, Malformed, NotFound, SpuntoError
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.device_sign_in import DeviceBegun, DeviceSignInService
from spunto.core.orgs.devices import DEVICE_LIFETIME, INTERVAL_SECONDS, new_user_code, user_code_hash


@pytest.fixture
def devices(memory: Memory) -> DeviceSignInService:
    return DeviceSignInService(memory.racing, auditor=memory.auditor, clock=memory.clock, ids=memory.ids)


async def begun_by(devices: DeviceSignInService) -> DeviceBegun:
    return await devices.begin(client_name="spunto on laptop", address="192.0.2.1")


async def answer_to(devices: DeviceSignInService, code: Secret) -> str:
    try:
        await devices.redeem(code)
    except SpuntoError as error:
        return error.code
    return "signed_in"


async def test_an_approved_terminal_is_signed_in_as_who_approved(memory: Memory, devices: DeviceSignInService) -> None:
    begun = await begun_by(devices)
    assert await answer_to(devices, begun.device_code) == "authorization_pending"

    asked = await devices.asked(memory.member, begun.user_code)
    await devices.approve(memory.member, begun.user_code)
    opened = await devices.redeem(begun.device_code)

    assert (asked.client_name, asked.address) == ("spunto on laptop", "192.0.2.1")
    assert (await memory.access.authenticate(opened.token)).user_id == OTHER_USER
    assert (await memory.audit())["device.approve"] == 1


async def test_a_denied_terminal_is_told_so_and_nothing_is_noted(memory: Memory, devices: DeviceSignInService) -> None:
    begun = await begun_by(devices)

    await devices.deny(memory.owner, begun.user_code)

    assert await answer_to(devices, begun.device_code) == "access_denied"
    assert "device.approve" not in await memory.audit()


async def test_what_was_decided_is_not_decided_again(memory: Memory, devices: DeviceSignInService) -> None:
    begun = await begun_by(devices)
    await devices.deny(memory.owner, begun.user_code)

    for again in (devices.approve, devices.deny, devices.asked):
        with pytest.raises(NotFound) as caught:
            await again(memory.owner, begun.user_code)
        assert caught.value.code == "device_code_not_found"


async def test_a_code_is_good_once(memory: Memory, devices: DeviceSignInService) -> None:
    begun = await begun_by(devices)
    await devices.approve(memory.owner, begun.user_code)

    answers = await asyncio.gather(*(answer_to(devices, begun.device_code) for _ in range(64)))

    assert sorted(answers) == ["expired_token"] * 63 + ["signed_in"]


async def test_who_is_slower_with_the_same_code_is_told_that_it_is_over(
    memory: Memory, devices: DeviceSignInService
) -> None:
    begun = await begun_by(devices)
    await devices.approve(memory.owner, begun.user_code)
    faster: list[Opened] = []

    async def be_faster() -> None:
        faster.append(await devices.redeem(begun.device_code))

    memory.racing.interference.append(be_faster)

    assert await answer_to(devices, begun.device_code) == "expired_token"
    assert faster[0].session.user_id == USER


async def test_everything_is_over_in_time(memory: Memory, devices: DeviceSignInService) -> None:
    begun, approved = await begun_by(devices), await begun_by(devices)
    await devices.approve(memory.owner, approved.user_code)
    memory.clock.advance(DEVICE_LIFETIME.total_seconds())

    for code in (begun.device_code, approved.device_code, Secret("spd_made_up")):
        assert await answer_to(devices, code) == "expired_token"
    with pytest.raises(NotFound):
        await devices.approve(memory.owner, begun.user_code)


async def test_who_looks_too_often_has_to_wait_longer_from_then_on(
    memory: Memory, devices: DeviceSignInService
) -> None:
    begun = await begun_by(devices)
    answers = []

    for seconds in (0, INTERVAL_SECONDS, INTERVAL_SECONDS - 0.1, 2 * INTERVAL_SECONDS - 0.1, 3 * INTERVAL_SECONDS):
        memory.clock.advance(seconds)
        try:
            await devices.redeem(begun.device_code)
        except Malformed as error:
            answers.append((error.code, error.fields["interval"]))

    assert answers == [
        ("authorization_pending", 5),
        ("authorization_pending", 5),
        ("slow_down", 10),
        ("slow_down", 15),
        ("authorization_pending", 15),
    ]


async def test_only_a_session_of_a_person_decides(memory: Memory, devices: DeviceSignInService) -> None:
    begun = await begun_by(devices)
    key = replace(memory.owner, scopes=frozenset({Scope.ALL}))
    nobody = replace(memory.owner, user_id=None)

    for actor in (key, nobody):
        for use in (devices.asked, devices.approve, devices.deny):
            with pytest.raises(Forbidden):
                await use(actor, begun.user_code)


async def test_only_hashes_of_the_codes_are_kept(memory: Memory, devices: DeviceSignInService) -> None:
    begun = await begun_by(devices)

    kept = {begun.request.device_hash, begun.request.user_code_hash}
    assert not kept & {begun.device_code.reveal().encode(), begun.user_code.encode()}
    assert begun.device_code.reveal() not in repr(begun)
    assert re.fullmatch(r"[B-Z]{4}-[B-Z]{4}", begun.user_code)


@given(st.sampled_from([str.lower, str.upper, lambda code: code.replace("-", ""), lambda code: f" {code} "]))
def test_a_code_is_read_as_people_type_it(typed: object) -> None:
    code = new_user_code()

    assert callable(typed)
    assert user_code_hash(typed(code)) == user_code_hash(code)
    assert user_code_hash(code[:-1]) != user_code_hash(code)
