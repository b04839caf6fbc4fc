"""Network namespaces of our own, joined to the machine by a veth pair that can be cut."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_PREFIX = "sp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """`inside` runs a command in it. `host` is the machine's end of the joint, None where it has none."""

    name: str
    host: str | None = None

    @property
    def inside(self) -> Sequence[str]:
        # `ip netns exec` would give the command other mounts than the machine's.
        return ("nsenter", f"--net=/run/netns/{self.name}")

    def part(self) -> None:
        """Cut the joint, at the peer's end: the machine's side sees nothing but silence."""
        run(*self.inside, "ip", "link", "set", _peer(self.name), "down")

    def heal(self) -> None:
        run(*self.inside, "ip", "link", "set", _peer(self.name), "up")


@contextmanager
def lone_namespace() -> Iterator[Namespace]:
    """One with a loopback and nothing else."""
    name = f"{_PREFIX}{os.urandom(4).hex()}"
    run("ip", "netns", "add", name)
    try:
        namespace = Namespace(name=name)
        run(*namespace.inside, "ip", "link", "set", "lo", "up")
        yield namespace
    finally:
        run("ip", "netns", "delete", name)


@contextmanager
def joined_namespace() -> Iterator[Namespace]:
    """One that reaches the machine, and nothing beyond it, at the address `host`."""
    with lone_namespace() as lone:
        # TEST-NET-2 (RFC 5737) belongs to nobody, a /30 of it to this namespace.
        subnet = int.from_bytes(os.urandom(1), "big") & ~3
        host, guest = f"198.51.100.{subnet + 1}", f"198.51.100.{subnet + 2}"
        near, far = f"{lone.name}h", _peer(lone.name)
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", lone.name)
        try:
            run("ip", "address", "add", f"{host}/30", "dev", near)
            run("ip", "link", "set", near, "up")
            run(*lone.inside, "ip", "address", "add", f"{guest}/30", "dev", far)
            run(*lone.inside, "ip", "link", "set", far, "up")
            yield Namespace(name=lone.name, host=host)
        finally:
            run("ip", "link", "delete", near)


def _peer(name: str) -> str:
    return f"{name}p"


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
