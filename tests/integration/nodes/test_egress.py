"""What workers reach of their host, on both real engines and the host's real packet filter."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from random import randrange

import pytest
from tests.integration.nodes.living import RealNode, real_node

from spunto.core.kernel.log import silent
from spunto.core.protocol.messages import Phase
from spunto_agent.firewall import Firewall

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]


@pytest.fixture
def pool() -> IPv4Network:
    """Of the test's own, so that no other agent's rules are about it."""
    return IPv4Network(f"10.216.{randrange(256)}.0/24")


@pytest.fixture(params=ENGINES)
async def node(request: pytest.FixtureRequest, pool: IPv4Network) -> AsyncIterator[RealNode]:
    async with real_node(request.getfixturevalue(f"{request.param}_url"), subnet_pool=pool) as made:
        made.want()
        await made.until(Phase.RUNNING)
        yield made


@asynccontextmanager
async def greeting_host() -> AsyncIterator[int]:
    """A port of the host that says hello to everybody."""

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        writer.close()

    async with await asyncio.start_server(greet, "0.0.0.0", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def heard(node: RealNode, port: int) -> bytes:
    """What a worker hears from its gateway, which is the host."""
    gateway = "$(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p')"
    return (await node.ran("sh", "-c", f"nc -w 2 {gateway} {port} </dev/null")).stdout


async def test_a_worker_is_kept_from_its_host_until_its_owner_opens_it(node: RealNode, pool: IPv4Network) -> None:
    closed = Firewall(pool, egress="block-private", log=silent)
    opened = Firewall(pool, egress="open", log=silent)
    async with greeting_host() as port:
        before = await heard(node, port)
        try:
            await closed.apply()
            await closed.apply()
            kept_away = await heard(node, port)
            listed = _rules_of(pool)
        finally:
            await opened.apply()
        after = await heard(node, port)

    assert closed.posture == {"egress": "block-private", "egress_enforced": True}
    assert opened.posture == {"egress": "open", "egress_enforced": False}
    assert (before, kept_away, after) == (b"hello\n", b"", b"hello\n")
    assert [line.split()[1] for line in listed] == ["FORWARD", "INPUT"]
    assert _rules_of(pool) == []


async def test_a_jump_that_an_engine_came_before_goes_first_again(pool: IPv4Network) -> None:
    firewall = Firewall(pool, egress="block-private", log=silent)
    other = ("FORWARD", "-s", "10.217.0.0/30", "-j", "ACCEPT")
    try:
        await firewall.apply()
        _iptables("-I", *other)
        await firewall.apply()
        forwarded = [line for line in _all_rules() if line.startswith("-A FORWARD")]
    finally:
        _iptables("-D", *other)
        await firewall.remove()

    ours = [number for number, line in enumerate(forwarded) if str(pool) in line]
    theirs = [number for number, line in enumerate(forwarded) if "10.217.0.0/30" in line]
    assert len(ours) == 1
    assert ours[0] < theirs[0]


def _rules_of(pool: IPv4Network) -> list[str]:
    return sorted(line for line in _all_rules() if str(pool) in line and "-j SPUNTO-" in line)


def _all_rules() -> list[str]:
    return _iptables("-S").splitlines()


def _iptables(*arguments: str) -> str:
    done = subprocess.run(["iptables", "-w", "5", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
