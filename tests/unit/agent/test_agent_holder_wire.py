"""Version 1 between agent and holder, byte for byte: either may be the older one, and none of this may change."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.runtime import ContainerGone
from spunto.core.executor.terminals.in_agent import sessions_by
from spunto.core.executor.terminals.port import Ended, Gone, SessionLost, Size, Wish
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Conflict, NotFound, QuotaExceeded, SpuntoError, Unavailable
from spunto.core.kernel.log import silent
from spunto.testing.contracts.container_lab import Lab
from spunto_agent.holder import wire
from spunto_agent.holder.code import installed_code
from spunto_agent.holder.places import short_path, socket_file
from spunto_agent.holder.server import HolderServer
from spunto_agent.holding import HolderLink

IMAGE = "localhost/spunto/busybox:1"
SIZE = Size(cols=80, rows=24)
PATIENCE_SECONDS = 10.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


def framed(tag: int, body: bytes) -> bytes:
    """Written out once more, so that nobody changes both ends at once."""
    return (len(body) + 1).to_bytes(4, "big") + bytes([tag]) + body


def test_frames_are_what_they_have_always_been() -> None:
    assert wire.control({"hello": {"min": 1, "max": 1}}) == framed(1, b'{"hello":{"min":1,"max":1}}')
    assert wire.output(258, b"hi\r\n") == b"\x00\x00\x00\x0d\x02\x00\x00\x00\x00\x00\x00\x01\x02hi\r\n"
    assert wire.typed(b"ls\n") == b"\x00\x00\x00\x04\x03ls\n"


@pytest.mark.parametrize(
    "error",
    [
        NotFound("session_lost", "Lost."),
        Conflict("worker_paused", "Paused."),
        QuotaExceeded("too_many_terminals", "Many.", retry_after_seconds=5),
        Unavailable("engine_unavailable", "Away."),
    ],
)
def test_a_refusal_is_the_same_error_at_the_other_end(error: SpuntoError) -> None:
    again = wire.error_of(wire.body_of(wire.control(wire.refusal(error))[5:])["error"])

    assert (type(again), again.code, again.message) == (type(error), error.code, error.message)
    assert getattr(again, "retry_after_seconds", None) == getattr(error, "retry_after_seconds", None)


@asynccontextmanager
async def listening(directory: Path, serve: Serve) -> AsyncIterator[None]:
    with short_path(socket_file(directory)) as path:
        server = await asyncio.start_unix_server(serve, path)
    yield
    server.close()


def link_in(directory: Path) -> HolderLink:
    async def address() -> tuple[str, str]:
        return "docker", "unix:///run/docker.sock"

    return HolderLink(directory, address=address, starts=False, clock=SystemClock(), log=silent)


async def test_an_agent_enters_at_a_holder_of_version_1_and_passes_over_what_it_does_not_know(tmp_path: Path) -> None:
    heard: list[bytes] = []
    said = [
        framed(1, b'{"hello":{"version":1,"knows":["enter"],"since":"2026"}}'),
        framed(1, b'{"entered":{"session":"s1","offset":7,"more":true}}'),
        framed(1, b'{"title":"vim"}'),
        framed(9, b"of a later version"),
        framed(2, (7).to_bytes(8, "big") + b"abc"),
        framed(1, b'{"gone":90,"offset":100}'),
        framed(1, b'{"size":[70,20]}'),
        framed(1, b'{"exit":3}'),
    ]

    async def recorded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(len(framed(1, b'{"hello":{"min":1,"max":1}}'))))
        writer.write(said[0])
        size = int.from_bytes(await reader.readexactly(4), "big")
        heard.append(await reader.readexactly(size))
        writer.write(b"".join(said[1:]))
        heard.append(await reader.readexactly(len(framed(3, b"ls\n"))))
        writer.close()

    async with listening(tmp_path, recorded), asyncio.timeout(PATIENCE_SECONDS):
        viewing = await link_in(tmp_path).enter(Wish(container="mp-worker-1", session="s1", offset=7, size=SIZE))
        sights = [await viewing.next() for _ in range(4)]
        await viewing.write(b"ls\n")
        with pytest.raises(SessionLost):
            await viewing.next()
        await viewing.aclose()

    assert sights == [b"abc", Gone(size_bytes=90, offset=100), Size(cols=70, rows=20), Ended(exit_code=3)]
    assert heard == [
        framed(1, b'{"hello":{"min":1,"max":1}}'),
        b'\x01{"enter":{"engine":"docker","url":"unix:///run/docker.sock","container":"mp-worker-1","session":"s1",'
        b'"name":null,"offset":7,"cols":80,"rows":24}}',
        framed(3, b"ls\n"),
    ]


@pytest.fixture
async def container(tmp_path: Path) -> AsyncIterator[str]:
    """Of today's holder, which listens in the directory."""
    runtime = FakeRuntime(images=[IMAGE])
    lab = Lab(runtime=runtime, network="net", image=IMAGE)
    await runtime.ensure_network(lab.a_network(name="net"))
    sessions = sessions_by(runtime, clock=SystemClock())
    running = asyncio.create_task(sessions.run())
    server = HolderServer(sessions, build="b", retire=lambda: True, log=silent)
    async with asyncio.TaskGroup() as connections, listening(tmp_path, server.accept(connections)):
        yield await lab.started()
        server.close()
    running.cancel()
    await asyncio.wait({running})
    await runtime.aclose()


async def answered(directory: Path, *frames: bytes) -> bytes:
    """All that the holder says to these frames, until it hangs up."""
    with short_path(socket_file(directory)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(frames))
    async with asyncio.timeout(PATIENCE_SECONDS):
        said = await reader.read()
    writer.close()
    return said


async def test_an_agent_of_version_1_is_understood_by_today_s_holder(tmp_path: Path, container: str) -> None:
    asked = b'{"enter":{"engine":"fake","url":"x","container":"%s","cols":90,"rows":20,"later":1}}' % container.encode()

    said = await answered(
        tmp_path,
        framed(1, b'{"hello":{"min":1,"max":4}}'),
        framed(1, asked),
        framed(3, b"stty\n"),
        framed(1, b'{"mood":"good"}'),
        framed(1, b'{"resize":[100,30]}'),
        framed(3, b"exit 3\n"),
    )

    assert said[4:].startswith(b'\x01{"hello":{"version":1,"knows":["enter","list","end","retire"],"pid":')
    assert b'{"entered":{"session":"' in said
    assert b"30 100\r\n" in said
    assert said.endswith(framed(1, b'{"exit":3}'))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([framed(1, b'{"hello":{"min":2,"max":3}}')], b"holder_version"),
        ([framed(1, b"{}")], b"holder_version"),
        ([framed(1, b'{"hello":{"min":1,"max":1}}'), framed(1, b'{"dance":{}}')], b"holder_asked_unknown"),
        ([framed(1, b'{"hello":{"min":1,"max":1}}'), framed(1, b'{"list":[]}')], b"holder_asked_badly"),
    ],
)
async def test_what_the_holder_does_not_understand_is_refused_by_its_code(
    tmp_path: Path, container: str, frames: list[bytes], code: bytes
) -> None:
    assert b'"code":"%s"' % code in await answered(tmp_path, *frames)


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff\x01", framed(1, b"no json"), framed(1, b"[]"), b"\0\0\0\0\0"])
async def test_a_broken_frame_ends_its_connection_and_nobody_else_s(
    tmp_path: Path, container: str, frame: bytes
) -> None:
    link = link_in(tmp_path)

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await answered(tmp_path, frame) == b""
        assert await link.list(container) == []
        with pytest.raises(NotFound) as refused:
            await link.enter(Wish(container="none", size=SIZE))

    assert refused.value.code == ContainerGone("").code


async def test_where_nobody_listens_it_is_said_in_time(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        await link_in(tmp_path).list("mp-worker-1")

    assert refused.value.code == "holder_away"


@pytest.mark.parametrize(
    ("hello", "asked"),
    [
        (b'{"hello":{"version":1,"knows":["enter","retire"],"build":"of before"}}', framed(1, b'{"retire":{}}')),
        (b'{"hello":{"version":1,"knows":["enter"],"build":"of before"}}', b""),
        (b'{"hello":{"version":1,"knows":["enter","retire"],"build":"%s"}}' % installed_code().encode(), b""),
    ],
)
async def test_a_holder_of_other_code_is_asked_to_go_when_it_holds_nothing(
    tmp_path: Path, hello: bytes, asked: bytes
) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def recorded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(framed(1, b'{"hello":{"min":1,"max":1}}')))
        writer.write(framed(1, hello))
        question = await reader.read(1024)
        writer.write(framed(1, b'{"retired":true}'))
        writer.close()
        heard.set_result(question)

    async with listening(tmp_path, recorded), asyncio.timeout(PATIENCE_SECONDS):
        running = asyncio.create_task(link_in(tmp_path).run())
        question = await heard
        running.cancel()
        await asyncio.wait({running})

    assert question == asked
