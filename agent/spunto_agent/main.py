"""The agent's process: opens engine and journal, runs the node, and ends cleanly with containers left as they are."""

import argparse
import asyncio
import os
import platform
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path

import uvloop

from spunto.core.executor.journal import Journal, MemoryJournal
from spunto.core.executor.reading import Reading
from spunto.core.executor.relays import NodeRelays
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import ContainerRuntime
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.streams.serving import STREAMS, NodeStreams
from spunto.core.executor.streams.tcp import TcpStreams
from spunto.core.executor.terminals.port import TerminalHolder
from spunto.core.executor.uplink import Uplink
from spunto.core.kernel.build import this_build
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import Log
from spunto.core.protocol.events import Closed
from spunto.core.specs.capabilities import DISK_LIMIT
from spunto_agent.engine import LateRuntime
from spunto_agent.firewall import Firewall
from spunto_agent.journal import SqliteJournal
from spunto_agent.link import Link, advice_for
from spunto_agent.log import new_log
from spunto_agent.relay import EdgeDialler
from spunto_agent.settings import AgentSettings, SettingsError, help_text, load, node_id_of
from spunto_agent.terminals import NodeTerminals

TURNED_AWAY = 77
BAD_SETTINGS = 78
_ENGINE_SECONDS = 5.0
# A fast disk takes some gigabytes in that time.
_DISK_GLANCE_SECONDS = 2.0
_NODE_DELETED = "node_deleted"
_DESCRIPTION = "The agent that makes this machine a node. It takes its settings from the environment and a file."
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m spunto_agent`: the settings of this machine, then `run`."""
    parser = argparse.ArgumentParser(
        prog="spunto agent", description=_DESCRIPTION, epilog=help_text(), formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=str(this_build()))
    parser.parse_args(sys.argv[1:] if arguments is None else list(arguments))
    try:
        return run(load(os.environ))
    except SettingsError as error:
        sys.stderr.write(f"spunto-agent: {error}\n")
        return BAD_SETTINGS


def run(settings: AgentSettings) -> int:
    """Run until SIGTERM or SIGINT (0) or until the server turns the agent away (77). Raises SettingsError."""
    return uvloop.run(_until_signal(settings))


async def serve(settings: AgentSettings, *, runtime: ContainerRuntime | None = None) -> int:
    """Run inside a program of your own until cancelled, or until the server turns the agent away (77).

    `runtime` is an engine of your own, which stays open. Raises SettingsError.
    """
    closed = await _work(settings, new_log(settings.log_format), runtime)
    sys.stderr.write(f"spunto-agent: {advice_for(closed)}\n")
    return TURNED_AWAY


async def _until_signal(settings: AgentSettings) -> int:
    serving = asyncio.ensure_future(serve(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        return await serving
    except asyncio.CancelledError:
        new_log(settings.log_format)("stopped")
        return 0


async def _work(settings: AgentSettings, log: Log, given: ContainerRuntime | None) -> Closed:
    token = settings.read_token()
    node_id = node_id_of(token)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        runtime: ContainerRuntime
        terminals: TerminalHolder | None = None
        if given is None:
            late = LateRuntime(settings.engine, settings.engine_url)
            runtime = await stack.enter_async_context(aclosing(late))
            terminals = NodeTerminals(late, settings, clock=clock, log=log)
        else:
            runtime = given
        journal = _open_journal(settings, node_id, log)
        stack.callback(journal.close)
        firewall = Firewall(settings.subnet_pool, egress=settings.egress, log=log)
        await firewall.apply()
        node = _node_settings(settings, node_id, posture=firewall.posture)
        runner = NodeRunner(
            runtime,
            journal=journal,
            clock=clock,
            settings=node,
            reading=_reading(settings),
            streams=STREAMS,
            log=log,
        )
        relays = NodeRelays(
            EdgeDialler(settings.server_url, settings.edge_hosts),
            TcpStreams(runtime, clock=clock, standing=runner.standing, limits=settings.tcp_limits),
            clock=clock,
            log=log,
            settings=node,
        )
        streams = NodeStreams(
            runtime,
            clock=clock,
            standing=runner.standing,
            inventory=runner.inventory,
            dial=relays.obey,
            terminals=terminals,
            log=log,
        )
        uplink = Uplink(runner, clock=clock, on_stream=streams.handle, log=log)
        link = Link(
            settings.connect_url,
            token,
            uplink=uplink,
            runner=runner,
            clock=clock,
            log=log,
            socket_path=settings.socket_path,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(runner.run(), name="node runner"),
                group.create_task(streams.run(), name="node streams"),
                group.create_task(relays.run(), name="node relays"),
                group.create_task(firewall.run(clock), name="firewall"),
                *([] if terminals is None else [group.create_task(terminals.run(), name="terminals")]),
            ]
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENGINE_SECONDS):
                    await runner.engine_answered()
            closed = await link.run()
            for task in tasks:
                task.cancel()
        if closed.reason == _NODE_DELETED:
            await firewall.remove()
    return closed


def _reading(settings: AgentSettings) -> Reading:
    return Reading(abilities=frozenset({DISK_LIMIT} if settings.max_worker_disk_bytes else ()))


def _node_settings(settings: AgentSettings, node_id: str, *, posture: Mapping[str, str | bool]) -> NodeSettings:
    build = this_build()
    return NodeSettings(
        node_id=node_id,
        instance_id=secrets.token_hex(8),
        boot_id=_boot_id(),
        agent_version=build.version,
        agent_commit=build.commit,
        engine=settings.engine,
        labels=settings.labels,
        subnet_pool=settings.subnet_pool,
        policy=settings.policy,
        posture=posture,
        cpu_overcommit=settings.cpu_overcommit,
        memory_reserve_bytes=settings.memory_reserve_bytes,
        disk_reserve_bytes=settings.disk_reserve_bytes,
        disk_glance_seconds=_DISK_GLANCE_SECONDS,
        concurrent_starts=settings.concurrent_starts,
    )


def _open_journal(settings: AgentSettings, node_id: str, log: Log) -> Journal:
    """A node without a usable disk still works; it then finds its containers by their labels after a restart."""
    try:
        return SqliteJournal.of_node(settings.data_dir, node_id)
    except Unavailable as error:
        log("journal_failed", error=error.message)
        return MemoryJournal()


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return platform.node() or "unknown"
