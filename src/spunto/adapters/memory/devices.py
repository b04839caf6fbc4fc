"""Terminals that want to be signed in, in memory."""

from dataclasses import replace
from datetime import datetime

from spunto.adapters.memory.rows import Draft
from spunto.core.access.model import UserId
from spunto.core.kernel.errors import StaleVersion
from spunto.core.orgs.devices import DeviceRequest, DeviceState


class MemoryDevices:
    def __init__(self, devices: Draft[bytes, DeviceRequest]) -> None:
        self._devices = devices

    async def add(self, request: DeviceRequest) -> None:
        for each in list(self._devices.values()):
            if each.expires_at <= request.created_at:
                self._devices.drop(each.device_hash)
        if await self.find_by_user_code(request.user_code_hash) is not None:
            raise StaleVersion("device code", "")
        self._devices.put(request.device_hash, request)

    async def find(self, device_hash: bytes) -> DeviceRequest | None:
        return self._devices.get(device_hash)

    async def find_by_user_code(self, user_code_hash: bytes) -> DeviceRequest | None:
        return next((each for each in self._devices.values() if each.user_code_hash == user_code_hash), None)

    async def decide(self, user_code_hash: bytes, *, state: DeviceState, user_id: UserId, now: datetime) -> bool:
        request = await self.find_by_user_code(user_code_hash)
        if request is None or not request.is_open(now):
            return False
        self._devices.put(request.device_hash, replace(request, state=state, user_id=user_id))
        return True

    async def redeem(self, device_hash: bytes, *, now: datetime) -> UserId | None:
        request = self._devices.get(device_hash)
        if request is None or request.state is not DeviceState.APPROVED or now >= request.expires_at:
            return None
        self._devices.drop(device_hash)
        return request.user_id

    async def note_poll(self, device_hash: bytes, *, at: datetime, interval_seconds: int) -> None:
        request = self._devices.get(device_hash)
        if request is not None:
            self._devices.put(device_hash, replace(request, polled_at=at, interval_seconds=interval_seconds))
