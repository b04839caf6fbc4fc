"""Pure translation between the port's values and what Docker and Podman say and hear."""

import ipaddress
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from spunto.core.executor.runtime import (
    Container,
    ContainerSpec,
    ContainerState,
    EngineEvent,
    EngineInfo,
    EngineRefused,
    ExecSpec,
    Network,
    SubnetTaken,
    Volume,
)
from spunto.core.kernel.errors import Conflict, SpuntoError

# The hardening profile for dev workers: what sudo, apt and sshd need inside, and nothing beyond it.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "SETUID",
    "SETGID",
    "KILL",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "AUDIT_WRITE",
    "SETPCAP",
    "SETFCAP",
)
LOG_FILE_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
CPU_PERIOD_MICROS = 100_000

# Neither engine has a code of its own for a subnet that the host uses outside the engine's networks (Docker says 403,
# also for reserved names; Podman says 500 for everything), so these words are all there is to tell it by.
_OVERLAP_WORDS = ("Pool overlaps with other one", "networks have overlapping IPv4", "is already used on the host")

_STATES = {
    "created": ContainerState.CREATED,
    "configured": ContainerState.CREATED,
    "initialized": ContainerState.CREATED,
    "paused": ContainerState.PAUSED,
    "exited": ContainerState.EXITED,
    "stopped": ContainerState.EXITED,
    "dead": ContainerState.EXITED,
    "removing": ContainerState.EXITED,
}
_ACTIONS = {"died": "die", "remove": "destroy"}
_REPORTED_ACTIONS = frozenset({"create", "start", "die", "oom", "destroy", "rename", "pause", "unpause"})


def docker_container(spec: ContainerSpec, *, nofile: int) -> dict[str, Any]:
    """The body of Docker's POST /containers/create."""
    return {
        "Image": spec.image,
        "Hostname": spec.hostname,
        "Labels": dict(spec.labels),
        "Env": _environment(spec.env),
        "Cmd": list(spec.command) or None,
        "User": spec.user or "",
        "WorkingDir": spec.working_dir or "",
        "HostConfig": {
            "NetworkMode": spec.network,
            "CapDrop": ["ALL"],
            "CapAdd": list(CAPABILITIES),
            "Init": True,
            "IpcMode": "private",
            "NanoCpus": spec.cpu_millis * 1_000_000,
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "PidsLimit": spec.pids,
            "Ulimits": [{"Name": "nofile", "Soft": nofile, "Hard": nofile}],
            "LogConfig": {
                "Type": "json-file",
                "Config": {"max-size": str(LOG_FILE_BYTES), "max-file": str(LOG_FILES)},
            },
            "RestartPolicy": {"Name": "no"},
            "PublishAllPorts": False,
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": mount.volume,
                    "Target": mount.path,
                    "VolumeOptions": {"Labels": dict(spec.labels)},
                }
                for mount in spec.mounts
            ],
        },
    }


def podman_container(spec: ContainerSpec, *, nofile: int, nproc: int) -> dict[str, Any]:
    """The arguments of podman-py's `containers.create`; its volumes exist by then."""
    return {
        "image": spec.image,
        "command": list(spec.command) or None,
        "name": spec.name,
        "hostname": spec.hostname,
        "labels": dict(spec.labels),
        "environment": dict(spec.env),
        "user": spec.user,
        "working_dir": spec.working_dir,
        "network_mode": "bridge",
        "networks": {spec.network: {}},
        "cap_drop": ["ALL"],
        "cap_add": list(CAPABILITIES),
        "init": True,
        "ipc_mode": "private",
        "cpu_period": CPU_PERIOD_MICROS,
        "cpu_quota": spec.cpu_millis * CPU_PERIOD_MICROS // 1000,
        "mem_limit": spec.memory_bytes,
        "memswap_limit": spec.memory_bytes,
        "pids_limit": spec.pids,
        # Podman asks for 1048576 of what is not said, and fails to start where the host allows less.
        "ulimits": [
            {"Name": "nofile", "Soft": nofile, "Hard": nofile},
            {"Name": "nproc", "Soft": nproc, "Hard": nproc},
        ],
        "log_config": {"Type": "k8s-file", "Config": {"size": LOG_FILE_BYTES}},
        "restart_policy": {"Name": "no"},
        "publish_all_ports": False,
        "volumes": {mount.volume: {"bind": mount.path, "mode": "rw"} for mount in spec.mounts},
    }


def docker_network(network: Network) -> dict[str, Any]:
    """The body of Docker's POST /networks/create. Without CheckDuplicate old engines make a second one of the name.

    The gateway is what the engine would take anyway. Unsaid, a Docker 20.10 that is killed while it removes the network
    panics at every later start (libnetwork's reservePools reads the gateway of a pool that is released already).
    """
    gateway = next(ipaddress.ip_network(network.subnet).hosts())
    return {
        "Name": network.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "IPAM": {"Config": [{"Subnet": network.subnet, "Gateway": str(gateway)}]},
        "Labels": dict(network.labels),
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    }


def podman_network(network: Network) -> dict[str, Any]:
    """The arguments of podman-py's `networks.create`. Podman's bridges reach one another unless isolated."""
    return {
        "name": network.name,
        "driver": "bridge",
        "ipam": {"Config": [{"Subnet": network.subnet}]},
        "labels": dict(network.labels),
        "options": {"isolate": "true"},
    }


def exec_body(spec: ExecSpec, *, marks: Mapping[str, str]) -> dict[str, Any]:
    """The body of POST /containers/{name}/exec. Engines before 1.42 ignore ConsoleSize; a resize follows anyway."""
    return {
        "Cmd": list(spec.command),
        "Env": _environment({**spec.env, **marks}),
        "WorkingDir": spec.working_dir or "",
        "User": spec.user or "",
        "Tty": spec.tty,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        **({"ConsoleSize": [spec.rows, spec.cols]} if spec.tty else {}),
    }


def container(inspected: Mapping[str, Any]) -> Container:
    """An answer of GET /containers/{name}/json, Docker's or Podman's (compatible or its own)."""
    state = inspected["State"]
    lifecycle = _STATES.get(state["Status"], ContainerState.RUNNING)
    ended = lifecycle is ContainerState.EXITED
    # Podman's own inspection says "Image" for the id and "ImageName" for the name, Docker's says "Config.Image".
    image = inspected.get("ImageName") or inspected["Config"].get("Image") or ""
    return Container(
        container_id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        state=lifecycle,
        labels=inspected["Config"].get("Labels") or {},
        image=image,
        image_id=inspected.get("Image") or "",
        started_at=moment(state.get("StartedAt")),
        finished_at=moment(state.get("FinishedAt")) if ended else None,
        exit_code=state["ExitCode"] if ended else None,
        oom_killed=bool(state.get("OOMKilled")),
    )


def docker_listed_network(listed: Mapping[str, Any]) -> Network | None:
    """An entry of Docker's GET /networks; None without an IPv4 subnet."""
    subnets = ((listed.get("IPAM") or {}).get("Config")) or ()
    return _network(listed["Name"], (entry.get("Subnet") for entry in subnets), listed.get("Labels"))


def podman_listed_network(listed: Mapping[str, Any]) -> Network | None:
    """An entry of Podman's GET /libpod/networks/json; None without an IPv4 subnet."""
    subnets = listed.get("subnets") or ()
    return _network(listed["name"], (entry.get("subnet") for entry in subnets), listed.get("labels"))


def networks_of(inspected: Mapping[str, Any]) -> frozenset[str]:
    """What a container is attached to, as either engine inspects it."""
    return frozenset((inspected.get("NetworkSettings") or {}).get("Networks") or {})


def volume(listed: Mapping[str, Any]) -> Volume:
    """An entry of either engine's list of volumes."""
    return Volume(name=listed["Name"], labels=listed.get("Labels") or {})


def network_verdict(wanted: Network, existing: Iterable[Network], *, words: str) -> SpuntoError | None:
    """Why the engine did not make the network, or None where it is there already."""
    networks = list(existing)
    for network in networks:
        if network.name == wanted.name:
            if has_labels(network.labels, wanted.labels):
                return None
            return Conflict("network_name_taken", f"Network {wanted.name!r} is not ours.", name=wanted.name)
    subnet = ipaddress.ip_network(wanted.subnet)
    if any(subnet.overlaps(ipaddress.ip_network(network.subnet)) for network in networks):
        return SubnetTaken(wanted.subnet)
    if any(fragment in words for fragment in _OVERLAP_WORDS):
        return SubnetTaken(wanted.subnet)
    return EngineRefused(words)


def has_labels(actual: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether it carries all of ours; an image's own labels may stand beside them."""
    return wanted.items() <= actual.items()


def carries(labels: Mapping[str, str], label: str) -> bool:
    """Whether the label (`key` or `key=value`) is among them."""
    key, _, value = label.partition("=")
    return key in labels and (not value or labels[key] == value)


def event(body: Mapping[str, Any], *, label: str, after_nanos: int) -> EngineEvent | None:
    """A line of GET /events, where it is about a container with the label and not older than the subscription.

    Engines disagree on label filters (Podman's needs the value as well), so that the filter is here.
    """
    attributes = body.get("Actor", {}).get("Attributes", {})
    action = _ACTIONS.get(body.get("Action", ""), body.get("Action", ""))
    if action not in _REPORTED_ACTIONS or body.get("Type") != "container" or body.get("timeNano", 0) < after_nanos:
        return None
    if not carries(attributes, label):
        return None
    return EngineEvent(name=attributes.get("name", "").removeprefix("/"), action=action)


def docker_info(info: Mapping[str, Any]) -> EngineInfo:
    """Docker's GET /info."""
    options = " ".join(info.get("SecurityOptions") or ())
    return EngineInfo(
        engine="docker",
        version=info["ServerVersion"],
        cpu_millis=info["NCPU"] * 1000,
        memory_bytes=info["MemTotal"],
        posture={
            "rootless": "name=rootless" in options,
            "seccomp": "name=seccomp" in options,
            "apparmor": "name=apparmor" in options,
            "userns_remap": "name=userns" in options,
            "cgroup_version": str(info.get("CgroupVersion", "")),
            "live_restore": bool(info.get("LiveRestoreEnabled")),
            "kernel": info.get("KernelVersion", ""),
        },
    )


def podman_info(info: Mapping[str, Any]) -> EngineInfo:
    """Podman's GET /libpod/info."""
    host = info["host"]
    security = host.get("security", {})
    return EngineInfo(
        engine="podman",
        version=info["version"]["Version"],
        cpu_millis=host["cpus"] * 1000,
        memory_bytes=host["memTotal"],
        posture={
            "rootless": bool(security.get("rootless")),
            "seccomp": bool(security.get("seccompEnabled")),
            "apparmor": bool(security.get("apparmorEnabled")),
            "userns_remap": False,
            "cgroup_version": str(host.get("cgroupVersion", "")).removeprefix("v"),
            "live_restore": True,
            "kernel": host.get("kernel", ""),
        },
    )


def kind_of_engine(version: Mapping[str, Any]) -> Literal["docker", "podman"]:
    """Which engine answered GET /version."""
    names = {component.get("Name") for component in version.get("Components") or ()}
    return "podman" if "Podman Engine" in names else "docker"


def has_tag(image: str) -> bool:
    """Whether the reference says which version; without one an engine would pull them all."""
    return "@" in image or ":" in image.rpartition("/")[2]


def whole_seconds(seconds: float) -> int:
    """Rounded up: a grace period is at least as long as asked for."""
    return math.ceil(seconds)


def moment(text: str | None) -> datetime | None:
    """An engine's RFC 3339 time; None for Go's zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def _environment(env: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in env.items()]


def _network(name: str, subnets: Iterable[str | None], labels: Mapping[str, str] | None) -> Network | None:
    for subnet in subnets:
        if subnet and ":" not in subnet:
            return Network(name=name, subnet=subnet, labels=labels or {})
    return None
