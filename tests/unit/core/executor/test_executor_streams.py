"""Streams into containers: commands, logs, figures and terminals, through a real session."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from tests.unit.core.executor.linked_node import LinkedNode, Server, output_of, read_until
from tests.unit.core.executor.node_values import IMAGE, OTHER_WORKER, WORKER, a_desired_item, desired

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.adapters.memory.runtime_commands import Process
from spunto.core.executor.terminals.session import UNREAD_BYTES
from spunto.core.executor.terminals.sessions import LEFT_SECONDS, MAX_TERMINALS, RING_BYTES
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import Stream
from spunto.core.specs.worker import container_name

NAME = container_name(WORKER)


async def refusal(stream: Stream) -> str:
    with pytest.raises(StreamReset) as caught:
        await read_all(stream)
    return caught.value.code


async def test_a_command_s_outputs_come_apart_and_its_end_last() -> None:
    async with LinkedNode().with_worker() as server:
        stream = server.open("exec", command=["sh", "-c", "echo out; echo err >&2; exit 3"])
        said, last = await output_of(stream)

    assert said == {1: b"out\n", 2: b"err\n"}
    assert (last["exitCode"], last["timedOut"]) == (3, False)


async def test_a_command_gets_input_environment_directory_and_user() -> None:
    async with LinkedNode().with_worker() as server:
        asked: dict[str, Any] = {"env": {"COLOUR": "blue"}, "cwd": "/tmp", "user": "vscode", "stdin": True}
        stream = server.open("exec", command=["sh", "-c", "echo $COLOUR; pwd; id; cat"], **asked)
        await stream.write(b"typed")
        await stream.write_eof()
        said, _ = await output_of(stream)

    assert said[1] == b"blue\n/tmp\n1000\ntyped"


async def test_a_command_that_takes_too_long_is_ended_and_says_so() -> None:
    async with LinkedNode().with_worker() as server:
        stream = server.open("exec", command=["sleep", "1000"], timeoutSeconds=0.01)
        _, last = await output_of(stream)

    assert (last["exitCode"], last["timedOut"]) == (124, True)


@pytest.mark.parametrize(
    ("kind", "params", "code"),
    [
        ("exec", {"command": "echo"}, "bad_stream_params"),
        ("exec", {"command": ["echo"], "env": {"A": 1}}, "bad_stream_params"),
        ("exec", {"command": ["echo"], "timeoutSeconds": -1}, "bad_stream_params"),
        ("logs", {"since": "yesterday"}, "bad_stream_params"),
        ("terminal", {"session": "nobody-s"}, "terminal_not_found"),
        ("teleport", {}, "unknown_stream_kind"),
    ],
)
async def test_what_can_not_be_done_is_refused_by_its_code(kind: str, params: dict[str, Any], code: str) -> None:
    async with LinkedNode().with_worker() as server:
        assert await refusal(server.open(kind, **params)) == code


async def test_a_command_that_is_not_there_ends_as_in_a_shell() -> None:
    async with LinkedNode().with_worker() as server:
        said, last = await output_of(server.open("exec", command=["no-such-command"]))

    assert (last["exitCode"], last["timedOut"], said[1]) == (127, False, b"")
    assert b"no-such-command" in said[2]


async def test_the_agent_tells_which_request_a_stream_serves() -> None:
    node = LinkedNode()
    async with node.with_worker() as server:
        await output_of(server.open("exec", command=["true"], requestId="r" * 500))

    [opened] = [fields for event, fields in node.told if event == "stream_opened"]
    assert opened == {"kind": "exec", "subject": WORKER, "request_id": "r" * 128}


async def test_only_containers_that_are_wanted_here_can_be_reached() -> None:
    async with LinkedNode().with_worker() as server:
        unknown = await refusal(server.open("exec", OTHER_WORKER, command=["true"]))
        server.connection.send(desired(whole=True))
        for _ in range(20):
            await asyncio.sleep(0)
        let_go = await refusal(server.open("exec", command=["true"]))

    assert (unknown, let_go) == ("container_not_found", "container_not_found")


async def test_logs_come_as_json_lines_and_end_or_follow() -> None:
    node = LinkedNode()
    async with node.with_worker() as server:
        await node.runtime.write_log(NAME, "one")
        await node.runtime.write_log(NAME, "two")
        ended = await read_all(server.open("logs", tail=1, since=None, follow=False))
        following = server.open("logs", tail=0, since=None, follow=True)
        await server.open("stats").next()
        await node.runtime.write_log(NAME, "three")
        followed = await read_until(following, b"\n")
        await following.aclose()

    assert [orjson.loads(line)["line"] for line in ended.splitlines()] == ["two"]
    assert orjson.loads(followed)["line"] == "three"
    assert set(orjson.loads(followed)) == {"at", "stream", "line"}


async def read_all(stream: Stream) -> bytes:
    said = b""
    async with asyncio.timeout(5):
        while (piece := await stream.read()) is not None:
            said += piece
    return said


async def test_figures_come_in_the_contract_s_words() -> None:
    async with LinkedNode().with_worker() as server:
        body = await server.open("stats").next()

    assert isinstance(body, dict)
    assert set(body) == {
        "cpuPercent",
        "memoryBytes",
        "memoryLimitBytes",
        "pids",
        "networkRxBytes",
        "networkTxBytes",
        "blockReadBytes",
        "blockWriteBytes",
        "sampledAt",
    }


async def open_terminal(server: Server, *, session: str | None = None, offset: int | None = None) -> tuple[Stream, Any]:
    stream = server.open("terminal", workerId=WORKER, session=session, offset=offset, cols=100, rows=30)
    async with asyncio.timeout(5):
        return stream, await stream.next()


async def test_a_terminal_is_a_shell_of_the_asked_size_that_can_be_resized() -> None:
    async with LinkedNode().with_worker() as server:
        stream, first = await open_terminal(server)
        await stream.write(b"stty size; echo $TERM\n")
        said = await read_until(stream, b"xterm-256color")
        await stream.send_control({"resize": [120, 40]})
        await stream.write(b"stty size\n")
        resized = await read_until(stream, b"40 120")
        await stream.write(b"exit 7\n")
        _, last = await output_of(stream)

    assert first["offset"] == 0
    assert b"30 100" in said
    assert b"40 120" in resized
    assert last == {"exit": 7}


async def test_a_terminal_survives_its_connection_with_nothing_lost_and_nothing_repeated() -> None:
    node = LinkedNode()
    async with node.up() as uplink:
        async with node.connected(uplink) as server:
            server.connection.send(desired(a_desired_item(), whole=True))
            await server.until_running()
            stream, first = await open_terminal(server)
            await stream.write(b"echo before\n")
            seen = await read_until(stream, b"\r\nbefore\r\n")
        async with node.connected(uplink, epoch=2) as server:
            stream, again = await open_terminal(server, session=first["session"], offset=len(seen))
            await stream.write(b"echo after\n")
            rest = await read_until(stream, b"\r\nafter\r\n")
            everything, _ = await open_terminal(server, session=first["session"], offset=0)
            whole = await read_until(everything, b"\r\nafter\r\n")

    assert again == {"session": first["session"], "offset": len(seen)}
    assert whole == seen + rest


async def test_several_look_at_a_terminal_and_type_into_it() -> None:
    async with LinkedNode().with_worker() as server:
        older, first = await open_terminal(server)
        newer, _ = await open_terminal(server, session=first["session"], offset=0)
        await newer.write(b"echo mine\n")
        seen = [await read_until(each, b"\r\nmine\r\n") for each in (older, newer)]
        await older.write(b"echo yours\n")
        seen += [await read_until(each, b"\r\nyours\r\n") for each in (older, newer)]

    assert seen == [b"echo mine\r\nmine\r\n"] * 2 + [b"echo yours\r\nyours\r\n"] * 2


async def test_a_shell_of_another_worker_is_not_found_by_its_session() -> None:
    async with LinkedNode().with_worker() as server:
        _, first = await open_terminal(server)
        server.connection.send(desired(a_desired_item(subject_id=OTHER_WORKER)))
        await server.until_running(OTHER_WORKER)
        stolen = server.open("terminal", OTHER_WORKER, session=first["session"], offset=0, cols=80, rows=24)

        assert await refusal(stolen) == "terminal_not_found"


def chatty(until_bytes: int) -> FakeRuntime:
    """An engine with a command that says more than any buffer holds, and counts what it got rid of."""

    async def flood(process: Process, _: Sequence[str]) -> int:
        for number in range(until_bytes // 1000):
            await process.write("stdout", b"%07d" % number + b"." * 993)
        return 0

    return FakeRuntime(images=[IMAGE], commands={"flood": flood})


async def test_a_reader_that_does_not_read_stops_the_shell_instead_of_filling_memory() -> None:
    node = LinkedNode(runtime=chatty(8 * RING_BYTES))
    async with node.with_worker() as server:
        stream, _ = await open_terminal(server)
        await stream.write(b"flood\n")
        for _ in range(3000):
            await asyncio.sleep(0)
        uplinked = await read_exactly(stream, 8 * RING_BYTES // 1000 * 1000)

    numbers = [int(uplinked[at : at + 7]) for at in range(uplinked.index(b"0000000"), len(uplinked) - 1000, 1000)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 8000


async def read_exactly(stream: Stream, size: int) -> bytes:
    said = bytearray()
    async with asyncio.timeout(20):
        while len(said) < size:
            said += await stream.read() or b""
    return bytes(said)


async def test_output_that_was_overwritten_while_nobody_looked_is_said_to_be_lost() -> None:
    node = LinkedNode(runtime=chatty(2 * RING_BYTES))
    async with node.with_worker() as server:
        stream, first = await open_terminal(server)
        await stream.write(b"flood\n")
        await stream.write(b"echo the-end\n")
        await read_exactly(stream, 1000)
        await stream.aclose()
        for _ in range(5000):
            await asyncio.sleep(0)
        again, told = await open_terminal(server, session=first["session"], offset=1000)
        lost = await again.next()

    assert isinstance(lost, dict)
    assert lost["lost"] == told["offset"] - 1000 > UNREAD_BYTES


async def test_a_terminal_that_nobody_comes_back_to_is_hung_up() -> None:
    node = LinkedNode()
    async with node.with_worker() as server:
        stream, _ = await open_terminal(server)
        await stream.aclose()
        shells = node.runtime._containers[NAME].execs
        assert len([shell for shell in shells if not shell.is_over()]) == 1
        begun = node.clock.monotonic()
        await node.while_time_passes(lambda: all(shell.is_over() for shell in shells))

    assert LEFT_SECONDS <= node.clock.monotonic() - begun < LEFT_SECONDS + 60


async def test_a_worker_has_sixteen_terminals_and_the_one_left_longest_makes_room() -> None:
    async with LinkedNode().with_worker() as server:
        opened = [await open_terminal(server) for _ in range(MAX_TERMINALS)]
        refused = await refusal(server.open("terminal", session=None, offset=None, cols=80, rows=24))
        left, first = opened[3]
        await left.aclose()
        for _ in range(50):
            await asyncio.sleep(0)
        await open_terminal(server)
        gone = await refusal(server.open("terminal", session=first["session"], offset=0, cols=80, rows=24))

    assert (refused, gone) == ("too_many_terminals", "terminal_not_found")
