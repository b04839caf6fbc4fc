"""Specs become hardened bodies, and engines' answers become values."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.adapters.runtimes import translate
from spunto.adapters.runtimes.samples import sample, stats
from spunto.core.executor.runtime import (
    Container,
    ContainerSpec,
    ContainerState,
    EngineEvent,
    EngineRefused,
    Mount,
    Network,
    SubnetTaken,
)
from spunto.core.kernel.errors import Conflict

names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
texts = st.dictionaries(names, st.text(max_size=20), max_size=4)
specs = st.builds(
    ContainerSpec,
    name=names,
    image=names,
    network=names,
    hostname=names,
    labels=texts,
    env=texts,
    command=st.lists(st.text(min_size=1, max_size=20), max_size=4),
    user=st.none() | names,
    working_dir=st.none() | names,
    mounts=st.lists(st.builds(Mount, volume=names, path=names), max_size=3),
    cpu_millis=st.integers(10, 64_000),
    memory_bytes=st.integers(2**20, 2**40),
    pids=st.integers(1, 2**15),
)


def inspected(**state: Any) -> dict[str, Any]:
    return {
        "Id": "abc",
        "Name": "/mp-worker-1",
        "Config": {"Labels": {"a": "1"}, "Image": "app:1"},
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z", **state},
    }


def a_network(name: str = "mine", subnet: str = "10.213.0.0/28", **labels: str) -> Network:
    return Network(name=name, subnet=subnet, labels=labels)


@given(specs)
def test_no_spec_switches_dockers_hardening_off(spec: ContainerSpec) -> None:
    host = translate.docker_container(spec, nofile=1000)["HostConfig"]

    assert host["CapDrop"] == ["ALL"]
    assert set(host["CapAdd"]) == set(translate.CAPABILITIES)
    assert (host["Init"], host["IpcMode"], host["RestartPolicy"]) == (True, "private", {"Name": "no"})
    assert host["MemorySwap"] == host["Memory"] == spec.memory_bytes
    assert (host["NanoCpus"], host["PidsLimit"]) == (spec.cpu_millis * 1_000_000, spec.pids)
    assert host["LogConfig"]["Config"] == {"max-size": "10485760", "max-file": "3"}
    assert {mount["Type"] for mount in host["Mounts"]} <= {"volume"}
    assert not {
        "Privileged",
        "PidMode",
        "UsernsMode",
        "UTSMode",
        "Devices",
        "Binds",
        "PortBindings",
        "SecurityOpt",
    } & set(host)


@given(specs)
def test_no_spec_switches_podmans_hardening_off(spec: ContainerSpec) -> None:
    arguments = translate.podman_container(spec, nofile=1000, nproc=1000)

    assert arguments["cap_drop"] == ["ALL"]
    assert set(arguments["cap_add"]) == set(translate.CAPABILITIES)
    assert (arguments["init"], arguments["ipc_mode"], arguments["restart_policy"]) == (True, "private", {"Name": "no"})
    assert arguments["memswap_limit"] == arguments["mem_limit"] == spec.memory_bytes
    assert arguments["cpu_quota"] / arguments["cpu_period"] == pytest.approx(spec.cpu_millis / 1000, abs=0.001)
    assert arguments["networks"] == {spec.network: {}}
    assert not {"privileged", "pid_mode", "userns_mode", "uts_mode", "devices", "ports", "security_opt"} & set(
        arguments
    )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", ContainerState.CREATED),
        ("configured", ContainerState.CREATED),
        ("running", ContainerState.RUNNING),
        ("paused", ContainerState.PAUSED),
        ("exited", ContainerState.EXITED),
        ("stopped", ContainerState.EXITED),
        ("dead", ContainerState.EXITED),
    ],
)
def test_an_engines_word_for_a_state_is_known(word: str, state: ContainerState) -> None:
    assert translate.container(inspected(Status=word)).state is state


def test_a_running_container_has_neither_an_end_nor_an_exit_code() -> None:
    assert translate.container(inspected(FinishedAt="2026-01-01T00:00:00Z")) == Container(
        container_id="abc", name="mp-worker-1", state=ContainerState.RUNNING, labels={"a": "1"}, image="app:1"
    )


def test_nanoseconds_and_zones_are_understood() -> None:
    moment = translate.moment("2026-11-24T06:00:37.846043326+02:00")

    assert moment is not None
    assert moment.isoformat() == "2026-11-24T04:00:37.846043+00:00"
    assert translate.moment("0001-01-01T00:00:00Z") is None


@pytest.mark.parametrize(
    ("image", "tagged"),
    [("app", False), ("app:1", True), ("host:5000/app", False), ("host:5000/app:1", True), ("app@sha256:ab", True)],
)
def test_an_image_without_a_tag_is_seen(image: str, tagged: bool) -> None:
    assert translate.has_tag(image) is tagged


def test_a_network_of_the_name_with_our_labels_counts_as_made() -> None:
    assert translate.network_verdict(a_network(a="1"), [a_network(a="1", engine="x")], words="exists") is None


def test_a_network_of_the_name_with_other_labels_conflicts() -> None:
    assert isinstance(translate.network_verdict(a_network(a="1"), [a_network(a="2")], words="exists"), Conflict)


@given(st.integers(16, 32), st.integers(16, 32), st.integers(0, 2**16 - 1))
def test_an_overlapping_network_takes_the_subnet_whatever_the_engine_says(wanted: int, there: int, host: int) -> None:
    base = int(ipaddress.ip_address("10.213.0.0")) + host
    mine, other = (str(ipaddress.ip_network((base, prefix), strict=False)) for prefix in (wanted, there))

    verdict = translate.network_verdict(a_network(subnet=mine), [a_network("other", other)], words="no")

    assert isinstance(verdict, SubnetTaken)


@pytest.mark.parametrize(
    "words",
    [
        "Pool overlaps with other one on this address space",
        "cannot create network br-1: conflicts with network br-2: networks have overlapping IPv4",
        "subnet 10.213.0.0/28 is already used on the host or by another config",
    ],
)
def test_a_subnet_that_the_host_uses_is_taken(words: str) -> None:
    assert isinstance(translate.network_verdict(a_network(), [], words=words), SubnetTaken)


def test_any_other_refusal_keeps_the_engines_words() -> None:
    verdict = translate.network_verdict(a_network(), [a_network("other", "10.214.0.0/28")], words="no more bridges")

    assert isinstance(verdict, EngineRefused)
    assert verdict.message == "no more bridges"


@pytest.mark.parametrize(("word", "action"), [("died", "die"), ("remove", "destroy"), ("start", "start")])
def test_an_event_gets_dockers_word(word: str, action: str) -> None:
    body = {"Type": "container", "Action": word, "timeNano": 5, "Actor": {"Attributes": {"name": "n", "k": "v"}}}

    assert translate.event(body, label="k=v", after_nanos=5) == EngineEvent(name="n", action=action)
    assert translate.event(body, label="k", after_nanos=5) is not None
    assert translate.event(body, label="k=w", after_nanos=5) is None
    assert translate.event(body, label="k", after_nanos=6) is None
    assert translate.event({**body, "Action": "exec_create: sh"}, label="k", after_nanos=0) is None


def test_processor_use_is_of_one_core_between_two_samples() -> None:
    def raw(second: int, cpu_nanos: int) -> dict[str, Any]:
        return {
            "id": "abc",
            "read": f"2026-11-24T04:00:0{second}Z",
            "cpu_stats": {"cpu_usage": {"total_usage": cpu_nanos}},
            "memory_stats": {"usage": 1000, "limit": 5000, "stats": {"total_inactive_file": 300}},
            "pids_stats": {"current": 3},
            "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
            "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 7}, {"op": "write", "value": 8}]},
        }

    earlier, later = sample(raw(1, 1_000_000_000)), sample(raw(3, 4_000_000_000))
    assert earlier is not None
    assert later is not None
    shown = stats(earlier, later)

    assert (shown.cpu_percent, shown.memory_bytes, shown.memory_limit_bytes, shown.pids) == (150.0, 700, 5000, 3)
    assert (shown.network_rx_bytes, shown.network_tx_bytes) == (11, 22)
    assert (shown.block_read_bytes, shown.block_write_bytes) == (7, 8)


@pytest.mark.parametrize("body", [None, {}, {"read": "0001-01-01T00:00:00Z"}])
def test_a_container_that_does_not_run_gives_no_sample(body: dict[str, Any] | None) -> None:
    assert sample(body) is None
