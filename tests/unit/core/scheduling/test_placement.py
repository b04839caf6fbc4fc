"""Placement: fit first, then the least load; the same answer for the same nodes in any order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import GIB, NODE, NOW, a_node

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.model import Capacity, Demand, Node, NodeId
from spunto.core.scheduling.placement import Request, load_key, matches, obstacle, placement_for

ONE_CPU = Request(demand=Demand(cpu_millis=1000, memory_bytes=GIB))
figures = st.integers(min_value=0, max_value=16)


def node_of(number: int, *, cpus: int, gib: int, used_cpus: int, used_gib: int, **fields: object) -> Node:
    capacity = Capacity(cpu_millis=cpus * 1000, memory_bytes=gib * GIB, max_worker_cpu_millis=cpus * 1000)
    reserved = Demand(cpu_millis=used_cpus * 1000, memory_bytes=used_gib * GIB)
    node = a_node(id=NodeId(f"nod_{number:026}"), capacity=capacity, reserved=reserved)
    return replace(node, **fields)  # type: ignore[arg-type]  # by name, as the caller says


nodes = st.builds(
    node_of,
    st.integers(min_value=0, max_value=10**6),
    cpus=figures,
    gib=figures,
    used_cpus=figures,
    used_gib=figures,
    assignments=figures,
    draining=st.booleans(),
    connected=st.booleans(),
    labels=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
)
fleets = st.lists(nodes, max_size=6, unique_by=lambda node: node.id)
requests = st.builds(
    Request,
    demand=st.builds(lambda cpus, gib: Demand(cpu_millis=cpus * 1000, memory_bytes=gib * GIB), figures, figures),
    labels=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=1),
)


@given(requests, fleets)
def test_the_chosen_node_fits_and_none_is_chosen_only_where_none_does(request: Request, fleet: list[Node]) -> None:
    chosen = placement_for(request, fleet)

    fitting = {node.id: node for node in fleet if obstacle(request, node) is None}
    assert (chosen is None) == (not fitting)
    for node in (fitting[chosen],) if chosen is not None else ():
        assert node.capacity is not None
        assert node.reserved.cpu_millis + request.demand.cpu_millis <= node.capacity.cpu_millis
        assert node.reserved.memory_bytes + request.demand.memory_bytes <= node.capacity.memory_bytes
        assert node.connected
        assert not node.draining
        assert request.labels.items() <= node.labels.items()
        assert all(load_key(node) <= load_key(other) for other in fitting.values())


@given(requests, st.data())
def test_the_choice_does_not_depend_on_the_order_of_nodes(request: Request, data: st.DataObject) -> None:
    fleet = data.draw(fleets)

    assert placement_for(request, data.draw(st.permutations(fleet))) == placement_for(request, fleet)


def test_the_scarcer_of_cpu_and_memory_decides_then_fewer_workers_then_age() -> None:
    busy_cpu = node_of(1, cpus=10, gib=10, used_cpus=6, used_gib=1)
    busy_memory = node_of(2, cpus=10, gib=10, used_cpus=1, used_gib=5)
    crowded = replace(busy_memory, id=NodeId(f"nod_{0:026}"), assignments=1)
    younger = replace(busy_memory, id=NodeId(f"nod_{3:026}"))
    full_memory = node_of(4, cpus=10, gib=10, used_cpus=0, used_gib=9)

    assert placement_for(ONE_CPU, [busy_cpu, busy_memory]) == busy_memory.id
    assert placement_for(ONE_CPU, [busy_cpu, full_memory]) == busy_cpu.id
    assert placement_for(ONE_CPU, [crowded, busy_memory, younger]) == busy_memory.id


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (a_node(), None),
        (a_node(quarantine=Problem(code="x", message="Two agents.")), "is quarantined: Two agents."),
        (a_node(deleting_at=NOW), "is being deleted"),
        (
            a_node(epoch=0, connected=False, incompatible=Problem(code="x", message="Old.")),
            "has an agent that is not understood: Old.",
        ),
        (a_node(epoch=0, connected=False), "never connected yet"),
        (a_node(connected=False), "is offline"),
        (a_node(draining=True), "is draining"),
        (a_node(labels={}, id=NodeId("nod_other")), None),
        (a_node(capacity=None), "has not said what it offers"),
        (a_node(reserved=Demand(cpu_millis=7500, memory_bytes=0)), "has 0.5 of 8 cpus free, 1 asked"),
        (
            a_node(reserved=Demand(cpu_millis=0, memory_bytes=16 * GIB)),
            f"has 0 of {16 * GIB} bytes of memory free, {GIB} asked",
        ),
        (
            a_node(capacity=Capacity(cpu_millis=32_000, memory_bytes=GIB, max_worker_cpu_millis=500)),
            "has 0.5 cpus, 1 asked",
        ),
    ],
)
def test_an_obstacle_is_told_in_words(node: Node, told: str | None) -> None:
    assert obstacle(ONE_CPU, node) == told


def test_an_absent_engine_is_told_with_its_own_words() -> None:
    node = a_node()
    assert node.agent is not None
    away = replace(node, agent=replace(node.agent, engine_problem=Problem(code="x", message="Docker is not running.")))

    assert obstacle(ONE_CPU, away) == "has no engine: Docker is not running."


def test_what_an_agent_can_t_do_is_told_by_its_words() -> None:
    asked = replace(ONE_CPU, requires=frozenset({"kind:worker", "kind:service", "egress"}))

    assert obstacle(asked, a_node()) == "has an agent that can't do egress, kind:service; update it"
    assert obstacle(asked, a_node(connected=False)) == "is offline"


def test_a_pin_and_labels_name_what_is_missing() -> None:
    pinned = replace(ONE_CPU, node_id=NodeId("nod_other"))
    labelled = replace(ONE_CPU, labels={"disk": "ssd"})

    assert obstacle(pinned, a_node()) == "another node was asked for"
    assert obstacle(labelled, a_node(labels={"disk": "hdd"})) == "lacks the label disk=ssd"
    assert not matches(labelled, a_node())
    assert matches(replace(labelled, node_id=NODE), a_node(labels={"disk": "ssd"}, draining=True))


def test_who_asks_for_nothing_fits_a_node_that_offers_nothing() -> None:
    nothing = Request(demand=Demand(cpu_millis=0, memory_bytes=0))
    bare = a_node(capacity=Capacity(cpu_millis=0, memory_bytes=0, max_worker_cpu_millis=0))

    assert placement_for(nothing, [bare]) == bare.id


def test_labels_of_the_agent_s_settings_count_and_those_set_here_outdo_them() -> None:
    node = a_node(labels={"disk": "hdd"})
    assert node.agent is not None
    told = replace(node, agent=replace(node.agent, labels={"disk": "ssd", "zone": "b"}))
    asked = Request(demand=ONE_CPU.demand, labels={"zone": "b"})

    assert obstacle(asked, told) is None
    assert obstacle(replace(asked, labels={"disk": "ssd"}), told) == "lacks the label disk=ssd"
