"""Signing a terminal in by a code that a person types into a browser."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from spunto.core.access.model import Actor, Tenant, UserId
from spunto.core.access.policy import Action
from spunto.core.access.sessions import Opened, hash_of, new_session
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, NotFound
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.devices import (
    DEVICE_LIFETIME,
    SLOWER_SECONDS,
    DeviceRequest,
    DeviceState,
    expired,
    new_user_code,
    pending,
    slow_down,
    user_code_hash,
)
from spunto.core.orgs.ports import OrgsTransaction
from spunto.core.orgs.sessions import Way, record_begin


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBegun:
    """Both codes, shown this once: one to the terminal, one to the person."""

    device_code: Secret
    user_code: str
    request: DeviceRequest


class DeviceSignInService:
    def __init__(self, uow: UnitOfWork[OrgsTransaction], *, auditor: Auditor, clock: Clock, ids: Ids) -> None:
        self._uow = uow
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def begin(self, *, client_name: str, address: str) -> DeviceBegun:
        now = self._clock.now()
        device_code, user_code = Secret(f"spd_{secrets.token_urlsafe(32)}"), new_user_code()
        request = DeviceRequest(
            device_hash=hash_of(device_code),
            user_code_hash=user_code_hash(user_code),
            client_name=client_name,
            address=address,
            created_at=now,
            expires_at=now + DEVICE_LIFETIME,
        )
        async with self._uow() as tx:
            await tx.devices.add(request)
            await tx.commit()
        return DeviceBegun(device_code=device_code, user_code=user_code, request=request)

    async def asked(self, actor: Actor, user_code: str) -> DeviceRequest:
        """Who asks by that code. Raises NotFound `device_code_not_found`, also for one that is decided or over."""
        _user_of(actor)
        async with self._uow.reading() as tx:
            request = await tx.devices.find_by_user_code(user_code_hash(user_code))
        if request is None or not request.is_open(self._clock.now()):
            raise _not_found()
        return request

    async def approve(self, actor: Actor, user_code: str) -> None:
        """Let the terminal in as the actor's user. Raises NotFound `device_code_not_found`."""
        await self._decide(actor, user_code, DeviceState.APPROVED)

    async def deny(self, actor: Actor, user_code: str) -> None:
        """Raises NotFound `device_code_not_found`."""
        await self._decide(actor, user_code, DeviceState.DENIED)

    async def redeem(self, device_code: Secret, *, request_id: str = "") -> Opened:
        """A session, once, when a person has approved.

        Raises Malformed `authorization_pending`, `slow_down`, `access_denied`, and `expired_token`, also for a code
        that was used or never given.
        """
        now, device_hash = self._clock.now(), hash_of(device_code)
        async with self._uow.reading() as tx:
            request = await tx.devices.find(device_hash)
        if request is None:
            raise expired()
        refusal = request.refusal(now)
        if refusal is not None:
            raise refusal
        if request.state is DeviceState.APPROVED:
            return await self._open(device_hash, now, request_id)
        if not request.came_too_soon(now):
            await self._note_poll(device_hash, now, request.interval_seconds)
            raise pending(request.interval_seconds)
        slower_seconds = request.interval_seconds + SLOWER_SECONDS
        await self._note_poll(device_hash, now, slower_seconds)
        raise slow_down(slower_seconds)

    @retried
    async def _open(self, device_hash: bytes, now: datetime, request_id: str) -> Opened:
        async with self._uow() as tx:
            user_id = await tx.devices.redeem(device_hash, now=now)
            if user_id is None:
                raise expired()
            opened = new_session(user_id, now=now, ids=self._ids)
            await tx.sessions.add(opened.session)
            await record_begin(tx, self._auditor, opened.session, Way.DEVICE, request_id=request_id)
            await tx.commit()
        return opened

    @retried
    async def _note_poll(self, device_hash: bytes, now: datetime, interval_seconds: int) -> None:
        async with self._uow() as tx:
            await tx.devices.note_poll(device_hash, at=now, interval_seconds=interval_seconds)
            await tx.commit()

    @retried
    async def _decide(self, actor: Actor, user_code: str, state: DeviceState) -> None:
        user_id = _user_of(actor)
        async with self._uow() as tx:
            decided = await tx.devices.decide(
                user_code_hash(user_code), state=state, user_id=user_id, now=self._clock.now()
            )
            if not decided:
                raise _not_found()
            # In the log of each organization that the terminal is let into.
            for org_id, role in actor.roles.items() if state is DeviceState.APPROVED else ():
                tenant = Tenant(org_id=org_id, role=role, actor=actor)
                await self._auditor.record(tx, tenant, Action.DEVICE_APPROVE, user_id)
            await tx.commit()


def _user_of(actor: Actor) -> UserId:
    actor.require_scope(Action.DEVICE_APPROVE)
    if actor.user_id is None:
        raise Forbidden("session_required", "Only a person can sign a terminal in.")
    return actor.user_id


def _not_found() -> NotFound:
    return NotFound("device_code_not_found", "No terminal waits with this code; look at it again, or begin again.")
