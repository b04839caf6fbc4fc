"""A server's doors over the memory store, with people in two organizations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from quart import Quart
from quart.testing import QuartClient
from quart.wrappers import Response

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import MemoryKeyring
from spunto.adapters.crypto.passes import KeyringPassKeys
from spunto.adapters.crypto.seal import KeyringSeal
from spunto.adapters.memory.identity import FakeIdentityProvider
from spunto.adapters.memory.store import MemoryStore
from spunto.core.access.model import OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.access.service import AccessService
from spunto.core.kernel.buckets import Rate
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.model import Membership, Organization, User
from spunto.core.secrets.ports import Cipher
from spunto.entrypoints.container import Container
from spunto.entrypoints.http.app import Place, create_app
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.limits import Gate, Limit, Limits
from spunto.entrypoints.serving.security import Doorkeeper, PublicAddress
from spunto.entrypoints.serving.telemetry import SILENT, Telemetry
from spunto.entrypoints.ws.agents import agents_blueprint
from spunto.entrypoints.ws.edges import edges_blueprint
from spunto.entrypoints.ws.sockets import Sockets
from spunto.entrypoints.ws.terminal import terminal_blueprint

LOCAL = "http://127.0.0.1:8000"


async def ready() -> None:
    return None


@dataclass(slots=True, kw_only=True)
class Person:
    """Somebody signed in, with the organization that they own."""

    user_id: UserId
    org_id: OrgId
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(slots=True, kw_only=True)
class House:
    app: Quart
    spunto: Spunto
    sockets: Sockets
    streams: Streams
    gate: Gate
    access: AccessService
    # The store of every slice at once, which no single type says.
    store: Any
    clock: ManualClock
    ids: TimeOrderedIds
    provider: FakeIdentityProvider | None = None
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def client(self) -> QuartClient:
        return QuartClient(self.app)

    async def person(self, name: str, *, role: Role = Role.OWNER, org_id: OrgId | None = None) -> Person:
        """Let somebody in: into the organization, or into a new one of their own."""
        now = self.clock.now()
        user = User(id=UserId(self.ids.new("usr")), name=name, email=f"{name}@example.org", created_at=now)
        async with self.store() as tx:
            await tx.members.add_user(user)
            if org_id is None:
                org_id = OrgId(self.ids.new("org"))
                await tx.organizations.add(Organization(id=org_id, name=name, slug=name, created_at=now))
            await tx.members.add(Membership(org_id=org_id, user_id=user.id, role=role, joined_at=now))
            await tx.commit()
        opened = await self.access.open_session(user.id)
        self.people[name] = Person(user_id=user.id, org_id=org_id, token=opened.token.reveal())
        return self.people[name]

    async def join(self, person: Person, other: Person) -> None:
        """Let a person into another one's organization too."""
        joined = Membership(org_id=other.org_id, user_id=person.user_id, role=Role.MEMBER, joined_at=self.clock.now())
        async with self.store() as tx:
            await tx.members.add(joined)
            await tx.commit()

    async def call(
        self, person: Person, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Response:
        """One request with the person's token; a body is sent as JSON."""
        sent = {**person.bearer, **(headers or {})}
        if body is None:
            return await self.client.open(path, method=method, headers=sent)
        sent.setdefault("Content-Type", "application/json")
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.client.open(path, method=method, headers=sent, data=raw)


def house_of(
    spunto: Spunto,
    store: Any,
    clock: ManualClock,
    *,
    url: str = LOCAL,
    is_url_guessed: bool = False,
    readiness: Any = ready,
    rates: Mapping[Limit, Rate] | None = None,
    clients: ClientAddresses | None = None,
    telemetry: Telemetry = SILENT,
    **more: Any,
) -> House:
    """The doors of a Spunto; nothing is limited but what is in `rates`; `more` goes into Place."""
    address = PublicAddress(url=url, is_guessed=is_url_guessed)
    gate = Gate(Doorkeeper(spunto.access, address), Limits(rates or {}, clock=clock), clients or ClientAddresses())
    place = Place(
        streams=Streams(spunto.wakeups),
        readiness=readiness,
        address=address,
        gate=gate,
        telemetry=telemetry,
        **more,
    )
    sockets = Sockets()
    doors = (
        agents_blueprint(gate, spunto.gateway, sockets, came=telemetry.request_came),
        edges_blueprint(gate, spunto.edge_gateway, sockets, came=telemetry.request_came),
        terminal_blueprint(gate, spunto.reach, spunto.terminals, sockets, spunto.standing),
    )
    app = create_app(spunto, place, doors=doors)
    return House(
        app=app,
        spunto=spunto,
        sockets=sockets,
        streams=place.streams,
        gate=gate,
        access=spunto.access,
        store=store,
        clock=clock,
        ids=TimeOrderedIds(clock),
    )


def build_house(*, cipher: Cipher | None = None, **changes: Any) -> House:
    """Doors to a store in memory where nothing happens by itself, with a sign-in provider in memory."""
    clock = ManualClock()
    wakeups = Wakeups(clock)
    return house_on(MemoryStore(wakeups), wakeups, clock, cipher=cipher, **changes)


def house_on(
    store: Any, wakeups: Wakeups, clock: ManualClock, *, cipher: Cipher | None = None, **changes: Any
) -> House:
    """The same on a store of any kind, which is open and stays so."""
    provider = FakeIdentityProvider(clock=clock)
    container = Container(
        clock=clock,
        wakeups=wakeups,
        store=store,
        queue=store.queue,
        cipher=cipher or EnvelopeCipher(MemoryKeyring()),
        seal=KeyringSeal(MemoryKeyring()),
        pass_keys=KeyringPassKeys(MemoryKeyring()),
        timeline_id="t",
        report=lambda *_: None,
        identity_provider=provider,
    )
    house = house_of(Spunto(container), store, clock, **changes)
    house.provider = provider
    return house


async def problem_of(response: Response) -> dict[str, Any]:
    assert response.content_type == "application/problem+json", await response.get_data(as_text=True)
    body: dict[str, Any] = orjson.loads(await response.get_data(as_text=False))
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:spunto:error:{body['code']}"
    assert body["requestId"] == response.headers["X-Request-Id"]
    return body


async def json_of(response: Response) -> Any:
    assert response.content_type == "application/json", await response.get_data(as_text=True)
    return orjson.loads(await response.get_data(as_text=False))
