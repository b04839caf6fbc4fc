"""Hosts of a network of our own: namespaces at one switch, where each may be made deaf to another."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.chaos.namespaces import lone_namespace, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """`inside` runs a command on it; it has `address` in the network."""

    address: str
    inside: Sequence[str]

    def accept_nothing(self) -> None:
        """Of whatever it did not ask for itself."""
        self._rule("--policy", "INPUT", "DROP")
        self._rule("--append", "INPUT", "--in-interface", "lo", "--jump", "ACCEPT")
        self._rule("--append", "INPUT", "--match", "conntrack", "--ctstate", "ESTABLISHED", "--jump", "ACCEPT")

    def cut_off_from(self, other: "Host") -> None:
        """Nothing gets through either way, and nobody is told."""
        for rule in _silence(other):
            self._rule("--insert", *rule)

    def heal(self, other: "Host") -> None:
        for rule in _silence(other):
            self._rule("--delete", *rule)

    def _rule(self, *arguments: str) -> None:
        run(*self.inside, "iptables", "--wait", *arguments)


@contextmanager
def joined_hosts(count: int) -> Iterator[Sequence[Host]]:
    """So many, which reach each other and nothing else. The first is this machine, for whoever binds its address; by
    its other address it is in the network too."""
    with ExitStack() as stack:
        switch = stack.enter_context(lone_namespace())
        # A switch of its own: this machine's firewall sees nothing of what goes through.
        run(*switch.inside, "ip", "link", "add", "switch", "type", "bridge")
        run(*switch.inside, "ip", "link", "set", "switch", "up")
        # For measuring between networks (RFC 2544), so that nobody else has it.
        network = f"198.18.{os.urandom(1)[0]}"
        here = f"{switch.name}h"
        run(
            *switch.inside, "ip", "link", "add", "here", "type", "veth", "peer", "name", here, "netns", str(os.getpid())
        )
        stack.callback(run, "ip", "link", "delete", here)
        run(*switch.inside, "ip", "link", "set", "here", "master", "switch", "up")
        run("ip", "address", "add", f"{network}.1/24", "dev", here)
        run("ip", "address", "add", f"{network}.254/24", "dev", here)
        run("ip", "link", "set", here, "up")
        hosts = [Host(address=f"{network}.254", inside=())]
        for number in range(2, count + 1):
            lone = stack.enter_context(lone_namespace())
            port, address = f"port{number}", f"{network}.{number}"
            run(*switch.inside, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth", "netns", lone.name)
            run(*switch.inside, "ip", "link", "set", port, "master", "switch", "up")
            run(*lone.inside, "ip", "address", "add", f"{address}/24", "dev", "eth")
            run(*lone.inside, "ip", "link", "set", "eth", "up")
            hosts.append(Host(address=address, inside=lone.inside))
        yield hosts


def _silence(other: Host) -> Sequence[Sequence[str]]:
    return (
        ("INPUT", "--source", other.address, "--jump", "DROP"),
        ("OUTPUT", "--destination", other.address, "--jump", "DROP"),
    )
