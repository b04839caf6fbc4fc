"""Nodes: what their token says, and how a connection's life shows in their status."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import NODE, a_node, later

from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.ids import TimeOrderedIds, encode
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import Agent, Capacity, Node, NodeId, NodeStatus, ReplicaId
from spunto.core.specs.token import new_token, node_of_token, token_hash

HOLDER = ReplicaId("rpl_1")
AGENT = Agent(version="1", instance_id="i", engine="fake", engine_version="1")
CAPACITY = Capacity(cpu_millis=1000, memory_bytes=1, max_worker_cpu_millis=1000)
FLAPPING = Problem(code="node_flapping", message="Stop one.")


@given(st.integers(min_value=0, max_value=2**128 - 1))
def test_a_token_names_its_node(value: int) -> None:
    node_id = NodeId(f"nod_{encode(value)}")

    assert node_of_token(new_token(node_id)) == node_id


def test_no_two_tokens_are_alike() -> None:
    assert new_token(NODE) != new_token(NODE)
    assert token_hash(new_token(NODE)) != token_hash(new_token(NODE))


@given(st.data())
def test_a_token_with_a_typo_names_nobody(data: st.DataObject) -> None:
    token = new_token(NodeId(TimeOrderedIds(ManualClock()).new("nod"))).reveal()
    position = data.draw(st.integers(min_value=0, max_value=len(token) - 1))
    letter = data.draw(st.characters().filter(lambda each: each != token[position]))

    assert node_of_token(Secret(token[:position] + letter + token[position + 1 :])) is None


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_other_text_names_nobody(text: str) -> None:
    assert node_of_token(Secret(text)) is None
    assert node_of_token(Secret(new_token(NODE).reveal() + "\n")) is None


def test_a_node_is_provisioning_until_its_agent_came_once() -> None:
    fresh = a_node(epoch=0, connected=False, agent=None, capacity=None)
    online = fresh.connected_anew(agent=AGENT, capacity=CAPACITY, holder=HOLDER, at=later(1))
    offline = online.disconnected(epoch=1, at=later(2))

    assert [each.status for each in (fresh, online, offline)] == [
        NodeStatus.PROVISIONING,
        NodeStatus.ONLINE,
        NodeStatus.OFFLINE,
    ]
    assert replace(online, draining=True).status is NodeStatus.DRAINING
    assert replace(offline, draining=True).status is NodeStatus.OFFLINE


def test_the_end_of_an_older_connection_changes_nothing() -> None:
    node = a_node(epoch=2)

    assert node.disconnected(epoch=1, at=later(1)) is node
    assert not node.disconnected(epoch=2, at=later(1)).connected


def test_each_connect_opens_the_next_epoch() -> None:
    node = a_node(epoch=4)

    again = node.connected_anew(agent=AGENT, capacity=CAPACITY, holder=HOLDER, at=later(1))

    assert (again.epoch, again.connection_changed_at) == (5, later(1))


def test_a_quarantine_shuts_the_node_out_until_its_token_is_rotated() -> None:
    shut = a_node().quarantined(FLAPPING, at=later(1))
    freed = shut.with_token(b"new", at=later(2))

    assert (shut.connected, shut.quarantine) == (False, FLAPPING)
    assert (freed.token_hash, freed.quarantine) == (b"new", None)


@pytest.mark.parametrize("connected", [True, False])
def test_a_new_token_ends_the_connection_made_with_the_old_one(connected: bool) -> None:
    assert not a_node(connected=connected).with_token(b"new", at=later(1)).connected


def test_an_end_lets_the_holder_go() -> None:
    node = a_node().connected_anew(agent=AGENT, capacity=CAPACITY, holder=HOLDER, at=later(1))

    assert node.holder == HOLDER
    assert node.disconnected(epoch=2, at=later(2)).holder is None


def came(node: Node, instance_id: str, minute: float) -> Node:
    agent = replace(AGENT, instance_id=instance_id)
    return node.connected_anew(agent=agent, capacity=CAPACITY, holder=HOLDER, at=later(60 * minute))


def test_agents_that_supersede_each_other_in_turns_are_flapping() -> None:
    node = a_node(connected=False)
    for minute, instance_id in enumerate("ababab"):
        node = came(node, instance_id, minute / 2)

    assert node.is_flapping(now=later(180))
    assert not node.with_token(b"new", at=later(181)).is_flapping(now=later(181))


@pytest.mark.parametrize(("instances", "minutes"), [("abcdef", 0.5), ("ababab", 3), ("aba", 0.5), ("aaaaaa", 0.1)])
def test_restarts_rare_turns_and_reconnects_are_no_flapping(instances: str, minutes: float) -> None:
    node = a_node(connected=False)
    for number, instance_id in enumerate(instances):
        node = came(node, instance_id, number * minutes)

    assert not node.is_flapping(now=later(60 * minutes * len(instances)))


def test_who_left_was_not_superseded() -> None:
    node = a_node(connected=False)
    for number, instance_id in enumerate("abababab"):
        node = came(node, instance_id, number / 10)
        node = node.disconnected(epoch=node.epoch, at=later(6 * number + 3))

    assert node.supersessions == ()
