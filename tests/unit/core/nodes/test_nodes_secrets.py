"""Secrets on their way to a node: looked up for each sending, only for their owner's workers, never stored."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import pytest
from tests.unit.core.builders import NODE, ORG, OTHER_USER, USER, a_spec, an_assignment
from tests.unit.core.memory import Memory
from tests.unit.core.nodes.doors import HELLO

from spunto.core.access.model import OrgId
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.sync import SECRETS_SECONDS, keep_in_step, topic
from spunto.core.protocol.codec import MAX_FRAME_BYTES, decode, encode
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Desired, DesiredItem, Hello, StateMessage, Wanted, Welcome
from spunto.core.protocol.pipe import memory_transport_pair
from spunto.core.secrets.model import MAX_OWNER_BYTES
from spunto.core.specs.secrets import secrets_from_json, secrets_to_json
from spunto.core.specs.worker import Power, read, write
from spunto.testing.settling import settle


class Safe:
    """Secrets that can be had or not, and who asked for what."""

    def __init__(self, values: Mapping[str, Mapping[str, str]]) -> None:
        self.values = values
        self.asked: list[Mapping[str, set[str]]] = []

    async def values_of(
        self, org_id: OrgId, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, Secret]]:
        assert org_id == ORG
        self.asked.append({subject_id: set(names) for subject_id, names in wanted.items()})
        return {
            subject_id: {
                name: Secret(self.values[subject_id][name]) for name in names if name in self.values[subject_id]
            }
            for subject_id, names in wanted.items()
            if subject_id in self.values
        }


class Node:
    """A node's end of a connection over which it is kept in step."""

    def __init__(self, memory: Memory, safe: Safe) -> None:
        self.memory = memory
        self.safe = safe
        self.heard: list[Desired] = []

    def last(self) -> dict[str, dict[str, str] | None]:
        """The last message's secrets by subject."""
        return {item.id: _plain(item) for item in self.heard[-1].items}

    async def run(self) -> None:
        agent_end, server_end = memory_transport_pair()

        async def accept(_: Hello, protocol: int) -> Welcome:
            now = self.memory.clock.now()
            return Welcome(protocol=protocol, epoch=1, timeline_id="t", node_id=NODE, server_time=now)

        async def hear(_: Connection, message: StateMessage) -> None:
            assert isinstance(message, Desired)
            self.heard.append(message)

        async def ignore(_: Connection, __: StateMessage) -> None:
            return None

        agent = Connection.agent(agent_end, clock=self.memory.clock, hello=HELLO, on_message=hear)
        server = Connection.server(server_end, clock=self.memory.clock, accept=accept, on_message=ignore)
        async with asyncio.TaskGroup() as group:
            group.create_task(agent.run())
            group.create_task(server.run())
            await server.ready()
            await keep_in_step(self.memory.store, self.memory.wakeups, NODE, server, secrets=self.safe)

    async def want(self, subject_id: str, **spec: Any) -> None:
        async with self.memory.store() as tx:
            await tx.assignments.add(an_assignment(subject_id=subject_id, spec=a_spec(**spec)))
            tx.hint(topic(NODE))
            await tx.commit()
        await settle()


def _plain(item: DesiredItem) -> dict[str, str] | None:
    if item.secrets is None:
        return None
    return {name: value.reveal() for name, value in secrets_from_json(item.secrets).items()}


@pytest.fixture
async def node(memory: Memory) -> AsyncIterator[Node]:
    node = Node(memory, Safe({"wkr_1": {"A": "1", "B": "2"}, "wkr_2": {"A": "3"}}))
    running = asyncio.ensure_future(node.run())
    await settle()
    yield node
    running.cancel()
    await asyncio.wait([running])


async def test_a_worker_gets_its_own_secrets_that_it_names(node: Node) -> None:
    await node.want("wkr_1", owner_id=USER, secret_names=("A", "MISSING"))
    assert node.last() == {"wkr_1": {"A": "1"}}

    await node.want("wkr_2", owner_id=OTHER_USER, secret_names=("A", "B"))
    assert node.last() == {"wkr_2": {"A": "3"}}


async def test_who_names_no_secret_or_owner_gets_none_and_nobody_is_asked(node: Node) -> None:
    await node.want("wkr_1", owner_id=USER)
    await node.want("wkr_2", secret_names=("A",))
    await node.want("wkr_3", owner_id=USER, secret_names=("A",), power=Power.STOPPED)

    assert [_plain(item) for message in node.heard for item in message.items] == [None, None, None]
    assert node.safe.asked == []


async def test_what_can_not_be_had_is_sent_without_and_again_as_soon_as_it_can(node: Node) -> None:
    node.safe.values = {}
    await node.want("wkr_1", owner_id=USER, secret_names=("A",))
    await node.want("wkr_2", owner_id=None)
    assert node.heard[-1].items[-1].id == "wkr_2"

    node.safe.values = {"wkr_1": {"A": "late"}}
    node.memory.clock.advance(SECRETS_SECONDS)
    await settle()
    assert node.last() == {"wkr_1": {"A": "late"}}

    sent = len(node.heard)
    node.memory.clock.advance(SECRETS_SECONDS)
    await settle()
    assert len(node.heard) == sent


def test_a_spec_names_secrets_and_an_older_one_names_none() -> None:
    spec = a_spec(owner_id=USER, secret_names=("A", "B"))
    body = write(spec)

    assert read(body) == spec
    del body["ownerUserId"], body["secretNames"]
    assert read(body) == a_spec()


def test_the_most_that_a_worker_can_have_fits_a_frame() -> None:
    worst = "\x01"
    spec = a_spec(env={"E": worst * 64 * 1024}, post_create_command=worst * 16384, post_start_command=worst * 16384)
    item = DesiredItem(
        kind="worker",
        id="wkr_1",
        generation=1,
        wanted=Wanted.PRESENT,
        spec=write(spec),
        secrets=secrets_to_json({"A": Secret(worst * MAX_OWNER_BYTES)}),
    )

    frame = encode(Desired(epoch=1, revision=1, whole=True, items=(item,)))

    assert len(frame) <= MAX_FRAME_BYTES
    assert decode(frame) == Desired(epoch=1, revision=1, whole=True, items=(item,))


def test_no_secret_shows_in_what_a_message_prints() -> None:
    item = DesiredItem(kind="worker", id="wkr_1", generation=1, wanted=Wanted.PRESENT, secrets={"A": "c2VzYW1l"})

    assert "c2VzYW1l" not in repr(Desired(epoch=1, revision=1, whole=True, items=(item,)))
