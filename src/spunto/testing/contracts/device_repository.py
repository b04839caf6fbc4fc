"""The contract of terminals that want to be signed in."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spunto.core.access.model import UserId
from spunto.core.kernel.errors import StaleVersion
from spunto.core.orgs.devices import DeviceRequest, DeviceState
from spunto.testing.contracts.store import LATER, NOW, Store, an_id

CLIENTS = 64


class DeviceRepositoryContract:
    async def test_a_request_is_found_by_either_code(self, store: Store) -> None:
        request = await _request_in(store, polled_at=NOW, interval_seconds=10)

        async with store.reading() as tx:
            assert await tx.devices.find(request.device_hash) == request
            assert await tx.devices.find_by_user_code(request.user_code_hash) == request
            assert await tx.devices.find(request.user_code_hash) is None
            assert await tx.devices.find_by_user_code(request.device_hash) is None

    async def test_a_user_code_is_one_terminals(self, store: Store) -> None:
        request = await _request_in(store)

        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.devices.add(replace(request, device_hash=b"another"))

    async def test_what_has_expired_is_forgotten(self, store: Store) -> None:
        request = await _request_in(store)

        await _request_in(store, created_at=LATER, expires_at=LATER + timedelta(hours=1))

        async with store.reading() as tx:
            assert await tx.devices.find(request.device_hash) is None

    async def test_a_pending_request_is_decided_once(self, store: Store) -> None:
        request = await _request_in(store)

        decided = [await _decide(store, request, state) for state in (DeviceState.DENIED, DeviceState.APPROVED)]

        async with store.reading() as tx:
            found = await tx.devices.find(request.device_hash)
        assert decided == [True, False]
        assert found == replace(request, state=DeviceState.DENIED, user_id=UserId("usr_1"))

    async def test_what_is_over_or_unknown_is_not_decided(self, store: Store) -> None:
        request = await _request_in(store)

        async with store() as tx:
            for code, now in ((request.user_code_hash, request.expires_at), (b"unknown", NOW)):
                assert not await tx.devices.decide(code, state=DeviceState.APPROVED, user_id=UserId("usr_1"), now=now)

    async def test_of_many_clients_with_one_code_exactly_one_wins(self, store: Store) -> None:
        request = await _request_in(store)
        await _decide(store, request, DeviceState.APPROVED)

        won = await asyncio.gather(*(_redeem(store, request) for _ in range(CLIENTS)))

        assert [user_id for user_id in won if user_id is not None] == ["usr_1"]

    async def test_only_an_approved_request_that_is_not_over_is_redeemed(self, store: Store) -> None:
        pending, denied, approved = [await _request_in(store) for _ in range(3)]
        await _decide(store, denied, DeviceState.DENIED)
        await _decide(store, approved, DeviceState.APPROVED)

        async with store() as tx:
            assert await tx.devices.redeem(pending.device_hash, now=NOW) is None
            assert await tx.devices.redeem(denied.device_hash, now=NOW) is None
            assert await tx.devices.redeem(approved.device_hash, now=LATER) is None
            assert await tx.devices.redeem(approved.device_hash, now=LATER - timedelta(microseconds=1)) == "usr_1"

    async def test_a_look_is_noted(self, store: Store) -> None:
        request = await _request_in(store)

        async with store() as tx:
            await tx.devices.note_poll(request.device_hash, at=NOW, interval_seconds=10)
            await tx.devices.note_poll(b"unknown", at=NOW, interval_seconds=10)
            await tx.commit()

        async with store.reading() as tx:
            found = await tx.devices.find(request.device_hash)
        assert found == replace(request, polled_at=NOW, interval_seconds=10)


async def _request_in(store: Store, **changes: Any) -> DeviceRequest:
    code = an_id("dev")
    fields: dict[str, Any] = {
        "device_hash": f"{code} device".encode(),
        "user_code_hash": f"{code} user".encode(),
        "client_name": "Ünix",
        "address": "192.0.2.1",
        "created_at": NOW,
        "expires_at": LATER,
    }
    request = DeviceRequest(**fields | changes)
    async with store() as tx:
        await tx.devices.add(request)
        await tx.commit()
    return request


async def _decide(store: Store, request: DeviceRequest, state: DeviceState) -> bool:
    async with store() as tx:
        decided = await tx.devices.decide(request.user_code_hash, state=state, user_id=UserId("usr_1"), now=NOW)
        await tx.commit()
    return decided


async def _redeem(store: Store, request: DeviceRequest) -> UserId | None:
    try:
        async with store() as tx:
            user_id = await tx.devices.redeem(request.device_hash, now=NOW)
            await tx.commit()
    except StaleVersion:
        return None
    return user_id
