"""Ports of simulated workers, over the real session at both ends."""

import pytest

from spunto.core.executor.port_connection import PortConnection
from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.workers.model import Worker
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode

PORT = 3000


async def shout(connection: PortConnection) -> None:
    while (data := await connection.read()) is not None:
        await connection.write(data.upper())


async def a_listening_worker(harness: Harness) -> tuple[SimulatedNode, Worker]:
    node = await harness.add_node("one")
    spawned = await harness.spawn(await harness.add_project())
    await harness.settle()
    node.serve_port(spawned.worker.id, PORT, shout)
    return node, spawned.worker


async def answer_to(stream: Stream, said: bytes) -> bytes | None:
    await stream.write(said)
    return await stream.read()


async def test_a_port_of_a_simulated_worker_answers(spunto_harness: Harness) -> None:
    _, worker = await a_listening_worker(spunto_harness)

    stream = await spunto_harness.connect_port(worker, PORT)

    assert await answer_to(stream, b"hello") == b"HELLO"


async def test_a_port_where_nobody_listens_refuses(spunto_harness: Harness) -> None:
    _, worker = await a_listening_worker(spunto_harness)

    with pytest.raises(StreamReset) as refused:
        await spunto_harness.connect_port(worker, PORT + 1)

    assert refused.value.code == "connection_refused"


async def test_a_node_that_is_away_is_said_to_be(spunto_harness: Harness) -> None:
    node, worker = await a_listening_worker(spunto_harness)
    node.disconnect()
    await spunto_harness.settle()

    with pytest.raises(Unavailable) as away:
        await spunto_harness.connect_port(worker, PORT)

    assert away.value.code == "node_offline"


async def test_connections_are_lost_with_their_agent_and_made_again_by_the_next(spunto_harness: Harness) -> None:
    node, worker = await a_listening_worker(spunto_harness)
    stream = await spunto_harness.connect_port(worker, PORT)
    await answer_to(stream, b"hello")

    node.restart_agent()
    with pytest.raises(ConnectionLost):
        await stream.read()
    await spunto_harness.advance(10)

    assert await answer_to(await spunto_harness.connect_port(worker, PORT), b"again") == b"AGAIN"


async def test_connections_go_on_while_the_server_is_away(spunto_harness: Harness) -> None:
    _, worker = await a_listening_worker(spunto_harness)
    stream = await spunto_harness.connect_port(worker, PORT)

    await spunto_harness.restart_server()

    assert await answer_to(stream, b"still") == b"STILL"
