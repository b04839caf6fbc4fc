"""Terminals that want to be signed in, in SQL."""

from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select, update

from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.access import device_codes
from spunto.adapters.sql.types import Instant
from spunto.core.access.model import UserId
from spunto.core.orgs.devices import DeviceRequest, DeviceState

_c = device_codes.c
_NOW = bindparam("now", type_=Instant)
_ADD = insert(device_codes)
_FORGET = delete(device_codes).where(_c.expires_at <= _NOW)
_FIND = select(device_codes).where(_c.device_hash == bindparam("of_device"))
_BY_USER_CODE = select(device_codes).where(_c.user_code_hash == bindparam("of_user_code"))
_DECIDE = (
    update(device_codes)
    .where(_c.user_code_hash == bindparam("of_user_code"), _c.state == "pending", _c.expires_at > _NOW)
    .values(state=bindparam("decided"), user_id=bindparam("by_user"))
)
_REDEEM = (
    delete(device_codes)
    .where(_c.device_hash == bindparam("of_device"), _c.state == "approved", _c.expires_at > _NOW)
    .returning(_c.user_id)
)
_NOTE_POLL = (
    update(device_codes)
    .where(_c.device_hash == bindparam("of_device"))
    .values(polled_at=bindparam("at", type_=Instant), interval_seconds=bindparam("seconds"))
)


class SqlDeviceRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, request: DeviceRequest) -> None:
        await self._statements.change(_FORGET, {"now": request.created_at})
        await self._statements.change(
            _ADD,
            {
                "device_hash": request.device_hash,
                "user_code_hash": request.user_code_hash,
                "client_name": request.client_name,
                "address": request.address,
                "created_at": request.created_at,
                "expires_at": request.expires_at,
                "interval_seconds": request.interval_seconds,
                "polled_at": request.polled_at,
                "state": request.state.value,
                "user_id": request.user_id,
            },
        )

    async def find(self, device_hash: bytes) -> DeviceRequest | None:
        row = await first(self._statements, _FIND, {"of_device": device_hash})
        return None if row is None else _request(row)

    async def find_by_user_code(self, user_code_hash: bytes) -> DeviceRequest | None:
        row = await first(self._statements, _BY_USER_CODE, {"of_user_code": user_code_hash})
        return None if row is None else _request(row)

    async def decide(self, user_code_hash: bytes, *, state: DeviceState, user_id: UserId, now: datetime) -> bool:
        parameters = {"of_user_code": user_code_hash, "decided": state.value, "by_user": user_id, "now": now}
        return await self._statements.change(_DECIDE, parameters) == 1

    async def redeem(self, device_hash: bytes, *, now: datetime) -> UserId | None:
        row = await first(self._statements, _REDEEM, {"of_device": device_hash, "now": now})
        return None if row is None else UserId(row[0])

    async def note_poll(self, device_hash: bytes, *, at: datetime, interval_seconds: int) -> None:
        await self._statements.change(_NOTE_POLL, {"of_device": device_hash, "at": at, "seconds": interval_seconds})


def _request(row: AnyRow) -> DeviceRequest:
    device_hash, code_hash, client_name, address, created_at, expires_at, seconds, polled_at, state, user_id = row
    return DeviceRequest(
        device_hash=device_hash,
        user_code_hash=code_hash,
        client_name=client_name,
        address=address,
        created_at=created_at,
        expires_at=expires_at,
        interval_seconds=seconds,
        polled_at=polled_at,
        state=DeviceState(state),
        user_id=user_id,
    )
