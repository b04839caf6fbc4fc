"""What every container engine adapter guarantees of ports: of connections to them, and of telling who listens."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.port_connection import PortBroken, PortConnection, PortRefused
from spunto.core.executor.runtime import ContainerGone, ContainerNotRunning
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, Lab

LAST_WORD = b"bye"
LISTENER = "python3"
Listening = Callable[[Lab, str, str, int], Awaitable[None]]
"""Has a program of that container listen at the address and port, which sends back what it hears and, at its end, the
last word before it ends itself; its name is `LISTENER`. The address `own` is the container's on its network."""


class ContainerPortContract:
    """Part of `ContainerRuntimeContract`. Subclasses give `listening`."""

    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "own"])
    async def test_a_port_is_reached_whatever_address_it_is_bound_to(
        self, lab: Lab, terminal_image: str, listening: Listening, address: str
    ) -> None:
        name = await lab.started(image=terminal_image)
        await listening(lab, name, address, 8001)

        connection = await lab.runtime.connect_port(name, 8001)
        await connection.write(b"hello")
        echo = await connection.read()
        await connection.write_eof()
        rest = await _rest(connection)
        await connection.aclose()

        assert (echo, rest) == (b"hello", LAST_WORD)

    async def test_many_bytes_go_both_ways_at_once(self, lab: Lab, terminal_image: str, listening: Listening) -> None:
        name = await lab.started(image=terminal_image)
        await listening(lab, name, "127.0.0.1", 8001)
        sent = secrets.token_bytes(8 * 1024 * 1024)

        connection = await lab.runtime.connect_port(name, 8001)

        async def send() -> None:
            await connection.write(sent)
            await connection.write_eof()

        async with asyncio.timeout(PATIENCE_SECONDS):
            _, came = await asyncio.gather(send(), _rest(connection))
        await connection.aclose()

        assert hashlib.sha256(came).digest() == hashlib.sha256(sent + LAST_WORD).digest()

    async def test_a_port_where_nobody_listens_refuses(self, lab: Lab) -> None:
        name = await lab.started()

        with pytest.raises(PortRefused):
            await lab.runtime.connect_port(name, 8002)

    async def test_a_connection_ends_with_its_container(
        self, lab: Lab, terminal_image: str, listening: Listening
    ) -> None:
        name = await lab.started(image=terminal_image)
        await listening(lab, name, "127.0.0.1", 8001)
        connection = await lab.runtime.connect_port(name, 8001)
        await connection.write(b"hello")
        await connection.read()

        await lab.runtime.stop_container(name, grace_seconds=0)

        with suppress(PortBroken):
            assert await _rest(connection) == b""
        await connection.aclose()
        with pytest.raises(ContainerNotRunning):
            await lab.runtime.connect_port(name, 8001)

    async def test_a_connection_that_is_broken_off_gives_nothing_more(
        self, lab: Lab, terminal_image: str, listening: Listening
    ) -> None:
        name = await lab.started(image=terminal_image)
        await listening(lab, name, "127.0.0.1", 8001)
        connection = await lab.runtime.connect_port(name, 8001)

        connection.abort()
        connection.abort()

        with pytest.raises(PortBroken):
            await connection.write(b"on")
        with pytest.raises(PortBroken):
            await connection.read()

    async def test_a_container_that_is_not_there_has_no_ports(self, lab: Lab) -> None:
        with pytest.raises(ContainerGone):
            await lab.runtime.connect_port("none-of-ours", 8001)

    async def test_a_container_that_was_never_started_has_no_ports(self, lab: Lab) -> None:
        created = await lab.runtime.create_container(lab.a_spec())

        with pytest.raises(ContainerNotRunning):
            await lab.runtime.connect_port(created.name, 8001)

    async def test_what_listens_is_told_with_its_process_and_address(
        self, lab: Lab, terminal_image: str, listening: Listening
    ) -> None:
        name = await lab.started(image=terminal_image)
        before = await lab.runtime.listening_ports(name)
        for port, address in ((8001, "127.0.0.1"), (8002, "0.0.0.0"), (8003, "own")):
            await listening(lab, name, address, port)

        found = await lab.runtime.listening_ports(name)

        assert before == []
        assert found is not None
        assert found[:2] == [
            ListeningPort(port=8001, address="127.0.0.1", process=LISTENER),
            ListeningPort(port=8002, address="0.0.0.0", process=LISTENER),
        ]
        assert [(each.port, each.process, each.is_loopback) for each in found[2:]] == [(8003, LISTENER, False)]

    async def test_a_container_that_does_not_run_listens_nowhere(
        self, lab: Lab, terminal_image: str, listening: Listening
    ) -> None:
        name = await lab.started(image=terminal_image)
        await listening(lab, name, "0.0.0.0", 8001)

        await lab.runtime.stop_container(name, grace_seconds=0)

        with pytest.raises(ContainerNotRunning):
            await lab.runtime.listening_ports(name)
        with pytest.raises(ContainerGone):
            await lab.runtime.listening_ports("none-of-ours")

    async def test_a_name_that_was_given_to_another_container_leads_there(
        self, lab: Lab, terminal_image: str, listening: Listening
    ) -> None:
        first = await lab.started(image=terminal_image)
        await listening(lab, first, "127.0.0.1", 8001)
        (await lab.runtime.connect_port(first, 8001)).abort()
        await lab.runtime.rename_container(first, f"{first}-old")

        await lab.started()

        with pytest.raises(PortRefused):
            await lab.runtime.connect_port(first, 8001)


async def _rest(connection: PortConnection) -> bytes:
    said = bytearray()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (data := await connection.read()) is not None:
            said += data
    return bytes(said)
