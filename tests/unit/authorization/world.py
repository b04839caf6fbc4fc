"""Two organizations with everything in them, everybody who may come, and a memory that is put back after each visit."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from tests.unit.authorization.asking import Answer, ask, upgrade
from tests.unit.authorization.decisions import Asker, Target
from tests.unit.authorization.vaults import Vault
from tests.unit.entrypoints.http.house import House

from spunto.core.access.sessions import GRANTS_TOPIC

SCOPES: Final = (
    "*",
    "org:read",
    "projects:read",
    "projects:write",
    "workers:read",
    "workers:write",
    "workers:exec",
    "nodes:read",
    "nodes:write",
    "deployments:read",
    "deployments:write",
    "deployments:exec",
)
PREFIXES: Final = {
    "orgId": "org",
    "userId": "usr",
    "invitationId": "inv",
    "keyId": "key",
    "projectId": "prj",
    "nodeId": "nod",
    "workerId": "wkr",
    "linkId": "lnk",
    "secretId": "sec",
    "orgSecretId": "sec",
    "sshKeyId": "ssk",
    "webhookId": "whk",
    "deliveryId": "whd",
}
TURNS: Final = 30
ID: Final = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}")
NAME: Final = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who asks. `home` is the organization whose things are "own" to them, or would have been."""

    name: str
    headers: Mapping[str, str]
    asker: Asker
    home: str

    @property
    def is_one_of_many(self) -> bool:
        """A key that differs from others only in its scope: these need not all be asked for what is not there."""
        return self.asker.scopes is not None and "*" not in self.asker.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What the test knows of something that exists: whose it is, and where it stands."""

    org_id: str | None
    owner: str | None = None
    inside: str | None = None
    is_an_owner: bool = False


@dataclass(slots=True, kw_only=True)
class Home:
    """One organization's ids, by what paths call them; a deleted one of each, too."""

    org_id: str
    mark: str
    ids: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)
    workers_of: dict[str, str] = field(default_factory=dict)


class World:
    def __init__(self, house: House, vault: Vault) -> None:
        self.house = house
        self.vault = vault
        self.homes: dict[str, Home] = {}
        self.principals: dict[str, Principal] = {}
        self.things: dict[tuple[str | None, str], Thing] = {}
        self.frames: list[str] = []
        self.never = {name: house.ids.new(prefix) for name, prefix in PREFIXES.items()}

    async def visit(self, principal: Principal, endpoint: str, path: str, body: Any) -> Answer:
        """One request or upgrade; what it changed stays until `put_back`."""
        method, _, _ = endpoint.rpartition(" ")
        if not method:
            return await upgrade(self.house.app, path, principal.headers)
        return await ask(self.house.app, method, path, principal.headers, body)

    def target_of(self, template: str, ids: Mapping[str, str]) -> Target:
        """What a path names, by what the test itself has put there."""
        named = [(name, ids[name]) for name in NAME.findall(template) if name in PREFIXES]
        well_formed = all(bool(ID.fullmatch(value)) and value.startswith(f"{PREFIXES[name]}_") for name, value in named)
        org_id = ids["orgId"] if "{orgId}" in template else None
        found: Thing | None = Thing(org_id=org_id)
        for name, value in named:
            if name == "orgId":
                continue
            found = self.things.get((org_id, value))
            if name == "workerId" and org_id is None:
                found = next((thing for (_, id_), thing in self.things.items() if id_ == value), None)
                # A socket names the worker alone, so that a worker nobody knows is in no organization.
                return Target(
                    well_formed=well_formed,
                    org_id="nowhere" if found is None else found.org_id,
                    exists=found is not None,
                    owner=None if found is None else found.owner,
                )
            if found is None or (found.inside is not None and found.inside not in ids.values()):
                return Target(well_formed=well_formed, org_id=org_id, exists=False, owner=_self(name, value))
        return Target(
            well_formed=well_formed,
            org_id=org_id,
            exists=found is not None,
            owner=None if found is None else found.owner,
            owner_is_an_owner=found is not None and found.is_an_owner,
        )

    async def keep(self) -> None:
        await self.vault.keep()
        self.frames.clear()

    async def put_back(self) -> None:
        changed = await self.vault.changed()
        # What was hinted is told to the nodes before it is taken back.
        if self.frames or changed:
            for _ in range(TURNS):
                await asyncio.sleep(0)
        self.frames.clear()
        if changed:
            await self.vault.put_back()
            self.house.spunto.wakeups.hint(GRANTS_TOPIC)

    async def do(self, by: Mapping[str, str], method: str, path: str, body: Any = None) -> Any:
        """Part of the building: it has to succeed."""
        answer = await ask(self.house.app, method, path, by, body)
        assert answer.status < 300, (method, path, answer)
        return orjson.loads(answer.body) if answer.body else None

    def add(self, name: str, headers: Mapping[str, str], home: str, **asker: Any) -> None:
        fields = {"is_good": True, **asker}
        self.principals[name] = Principal(name=name, headers=headers, asker=Asker(**fields), home=home)


def _self(name: str, value: str) -> str | None:
    return value if name == "userId" else None
