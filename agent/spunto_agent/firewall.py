"""Keeps workers from their host, link-local addresses and private networks, by rules of the host's packet filter."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final, Literal

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log

Egress = Literal["block-private", "open"]
AGAIN_SECONDS: Final = 30.0
_RUN_SECONDS: Final = 10.0
_PRIVATE: Final = ("169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8")
_IN_CONTAINER: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
_INTERFACES: Final = Path("/sys/class/net")


class _Failed(Exception):
    """iptables refused; its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One chain of ours: packets of workers that reach `hook` go through its rules."""

    name: str
    hook: str
    pool: IPv4Network
    rules: Sequence[Sequence[str]]

    @property
    def jump(self) -> Sequence[str]:
        return ("-s", str(self.pool), "-j", self.name)


def chains(pool: IPv4Network) -> tuple[Chain, Chain]:
    """Named by the pool, so that a repeat finds them, and agents that share a pool share them.

    Answers to what others began pass, and so do questions about names. What workers say to each other is their
    engine's to isolate.
    """
    mark = f"{int(pool.network_address):08x}-{pool.prefixlen}"
    passes = (
        ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN"),
        ("-p", "udp", "--dport", "53", "-j", "RETURN"),
        ("-p", "tcp", "--dport", "53", "-j", "RETURN"),
    )
    to_host = Chain(name=f"SPUNTO-IN-{mark}", hook="INPUT", pool=pool, rules=(*passes, ("-j", "DROP")))
    to_peers = ("-d", str(pool), "-j", "RETURN")
    to_private = tuple(("-d", each, "-j", "DROP") for each in _PRIVATE)
    onwards = Chain(name=f"SPUNTO-FWD-{mark}", hook="FORWARD", pool=pool, rules=(*passes, to_peers, *to_private))
    return to_host, onwards


class Firewall:
    """`is_active` says whether the rules hold; where they don't, `reason` says why, and nothing is claimed."""

    def __init__(self, pool: IPv4Network, *, egress: Egress, log: Log) -> None:
        self._chains = chains(pool)
        self._egress = egress
        self._log = log
        self.reason: str | None = None

    @property
    def posture(self) -> dict[str, str | bool]:
        """As the node tells it."""
        told: dict[str, str | bool] = {"egress": self._egress, "egress_enforced": self.is_active}
        return told if self.reason is None else {**told, "egress_reason": self.reason}

    @property
    def is_active(self) -> bool:
        return self._egress == "block-private" and self.reason is None

    async def apply(self) -> None:
        """Bring the rules about, or away where the owner wants none. Repeating is harmless."""
        obstacle = _obstacle()
        if self._egress == "open":
            if obstacle is None:
                await self.remove()
            return
        known, self.reason = self.reason, obstacle
        if obstacle is None:
            try:
                for chain in self._chains:
                    await _ensure(chain)
            except (_Failed, OSError, TimeoutError) as error:
                self.reason = f"iptables: {error}"[:255]
        if self.reason is not None and self.reason != known:
            self._log("egress_not_enforced", reason=self.reason)

    async def run(self, clock: Clock) -> None:
        """Again and again, until cancelled: an engine that restarts puts its own rules before ours."""
        while True:
            await clock.sleep(AGAIN_SECONDS)
            await self.apply()

    async def remove(self) -> None:
        """Take the chains away; missing ones are gone."""
        for chain in self._chains:
            while await _succeeds("-D", chain.hook, *chain.jump):
                pass
            await _succeeds("-F", chain.name)
            await _succeeds("-X", chain.name)


def _obstacle() -> str | None:
    if os.geteuid() != 0:
        return "the agent is not root"
    # An agent in a container has the host's packet filter only where it has the host's network, with its bridges.
    if any(path.exists() for path in _IN_CONTAINER) and not any(_INTERFACES.glob("*/bridge")):
        return "the agent runs in a container without the host's network"
    if shutil.which("iptables") is None:
        return "there is no iptables on the machine"
    return None


async def _ensure(chain: Chain) -> None:
    """The rules stand before the jump does, and a jump that others have come before goes first again."""
    listed = (await _iptables("-S")).splitlines()
    rules = [line for line in listed if line.startswith(f"-A {chain.name} ")]
    if len(rules) != len(chain.rules):
        if f"-N {chain.name}" not in listed:
            await _iptables("-N", chain.name)
        await _iptables("-F", chain.name)
        for rule in chain.rules:
            await _iptables("-A", chain.name, *rule)
    hooked = [line for line in listed if line.startswith(f"-A {chain.hook} ")]
    ours = f"-A {chain.hook} {' '.join(chain.jump)}"
    # Agents with other pools stand beside: before all but jumps into chains of ours is first.
    first = [line for line in hooked if "-j SPUNTO-" not in line]
    is_first = ours in hooked and (not first or hooked.index(ours) < hooked.index(first[0]))
    if not is_first:
        await _iptables("-I", chain.hook, "1", *chain.jump)
        for _ in range(hooked.count(ours)):
            # The first match would be the new one, so the old ones go by their place.
            await _drop_last(chain)


async def _drop_last(chain: Chain) -> None:
    lines = [each for each in (await _iptables("-S", chain.hook)).splitlines() if each.startswith("-A ")]
    ours = f"-A {chain.hook} {' '.join(chain.jump)}"
    places = [number for number, line in enumerate(lines, start=1) if line == ours]
    if len(places) > 1:
        await _iptables("-D", chain.hook, str(places[-1]))


async def _succeeds(*arguments: str) -> bool:
    try:
        await _iptables(*arguments)
    except _Failed:
        return False
    return True


async def _iptables(*arguments: str) -> str:
    """Raises _Failed, OSError, TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        "iptables", "-w", "5", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            out, err = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    if process.returncode != 0:
        raise _Failed(err.decode(errors="replace").strip())
    return out.decode(errors="replace")
