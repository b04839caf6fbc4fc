"""A worker's life where nothing goes wrong, and where what was asked for can't be had."""

import orjson
import pytest
from tests.unit.journeys.steps import NOTHING, a_ready_worker, a_worker, is_clean, node_of, running

from spunto.core.kernel.errors import Conflict
from spunto.core.workers.answers import WorkerNotRunning
from spunto.core.workers.model import DockerState, WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.core.workers.terminals import TerminalWish
from spunto.testing.harness import Harness

S = WorkerState


async def test_from_spawn_to_a_clean_machine(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_worker(harness)
    assert await worker.state() is S.SPAWNING

    await harness.settle()
    assert (await worker.state(), await worker.docker_state()) == (S.READY, DockerState.RUNNING)
    assert running(node) == [worker.container]

    await worker.stop()
    await harness.settle()
    assert (await worker.state(), await worker.docker_state()) == (S.STOPPED, DockerState.STOPPED)
    assert (running(node), len(node.containers())) == ([], 1)
    assert (await node_of(harness, node)).reserved == NOTHING

    await worker.start()
    await harness.settle()
    assert (await worker.state(), running(node)) == (S.READY, [worker.container])

    await worker.destroy()
    await harness.settle()
    assert await worker.is_gone()
    assert is_clean(node)
    assert (await node_of(harness, node)).reserved == NOTHING


async def test_a_ready_worker_can_be_reached_into(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness, env={"WHO": "world"})
    reach, here = harness.spunto.reach, worker.here

    said = await reach.exec(*here, ExecRequest(command=["sh", "-c", "echo hello $WHO; echo oops >&2; exit 3"]))
    read = await reach.exec(*here, ExecRequest(command=["cat"], stdin=b"from outside"))
    stats = await reach.stats(*here)

    assert (said.stdout, said.stderr, said.exit_code) == (b"hello world\n", b"oops\n", 3)
    assert (read.stdout, read.exit_code) == (b"from outside", 0)
    assert stats["memoryLimitBytes"] == 1024**3


async def test_a_command_that_is_not_there_ends_with_127_and_the_engine_s_words(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness)

    ended = await harness.spunto.reach.exec(*worker.here, ExecRequest(command=["nope"], stdin=b"x" * 1_000_000))

    assert (ended.exit_code, b"nope" in ended.stderr) == (127, True)


async def test_a_command_need_not_read_what_it_is_given(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness)

    result = await harness.spunto.reach.exec(*worker.here, ExecRequest(command=["true"], stdin=b"x" * 1_000_000))

    assert result.exit_code == 0


async def test_its_log_is_read_and_followed(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    await node.engine.write_log(worker.container, "first")

    async with await harness.spunto.reach.open_logs(harness.owner, worker.id, tail=10) as followed:
        lines = [await followed.read()]
        await harness.settle()
        await node.engine.write_log(worker.container, "second")
        lines.append(await followed.read())
    read = [piece async for piece in harness.spunto.reach.logs(*worker.here, tail=1)]

    assert [orjson.loads(line or b"null")["line"] for line in lines] == ["first", "second"]
    assert orjson.loads(b"".join(read))["line"] == "second"


async def test_a_terminal_survives_its_connection(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)
    open_terminal = harness.spunto.terminals.open
    terminal = await open_terminal(harness.owner, worker.id, TerminalWish(cols=80, rows=24))
    hello = await terminal.next()
    assert isinstance(hello, dict)
    await terminal.write(b"echo one\n")
    await harness.settle()
    seen = await terminal.read() or b""

    node.disconnect()
    await harness.settle()
    await node.reconnect()
    await harness.settle()
    wish = TerminalWish(cols=80, rows=24, session=hello["session"], offset=len(seen))
    async with await open_terminal(harness.owner, worker.id, wish) as again:
        greeting = await again.next()
        await again.write(b"echo two\n")
        more = b""
        while b"two\r\ntwo" not in more.replace(b"echo ", b""):
            more += await again.read() or b""

    assert greeting == {"session": hello["session"], "offset": len(seen)}


async def test_the_project_s_commands_run_once_after_create_and_after_each_start(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(
        harness, post_create_command="echo made > /workspace/made", post_start_command="echo started; exit 4"
    )
    first = (await worker.get()).setup
    await worker.stop()
    await harness.settle()
    await worker.start()
    await harness.settle()
    second = (await worker.get()).setup

    assert first is not None
    assert second is not None
    assert (first["phase"], first["postStart"]) == ("error", {"exitCode": 4, "outputTail": "started\n"})
    assert second["postCreate"] == first["postCreate"] == {"exitCode": 0, "outputTail": ""}
    assert await worker.state() is S.READY


async def test_an_image_that_does_not_exist_is_an_error_in_the_engine_s_words_and_start_tries_again(
    harness: Harness,
) -> None:
    node = await harness.add_node("one")
    worker = await a_worker(harness, image="registry.example/none:1")
    await harness.settle()
    code, message = await worker.problem() or ("", "")
    assert (await worker.state(), code) == (S.ERROR, "image_not_found")
    assert "manifest unknown" in message
    assert "start" in message
    assert (await node_of(harness, node)).reserved == NOTHING

    node.engine.published.add("registry.example/none:1")
    await worker.start()
    await harness.settle()

    assert (await worker.state(), await worker.problem()) == (S.READY, None)


async def test_destroy_while_spawning_leaves_nothing(harness: Harness) -> None:
    node = await harness.add_node("one", published=["slow"])
    node.engine.hold_pulls()
    worker = await a_worker(harness, image="slow")
    await harness.settle()
    assert node.engine.pull_begun.is_set()

    await worker.destroy()
    await harness.settle()

    assert await worker.is_gone()
    assert is_clean(node)


async def test_stop_while_spawning_ends_stopped(harness: Harness) -> None:
    node = await harness.add_node("one", published=["slow"])
    node.engine.hold_pulls()
    worker = await a_worker(harness, image="slow")
    await harness.settle()

    await worker.stop()
    node.engine.release_pulls()
    await harness.settle()

    assert (await worker.state(), running(node)) == (S.STOPPED, [])


async def test_a_stopped_worker_is_not_reached(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness)
    await worker.stop()
    await harness.settle()

    with pytest.raises(WorkerNotRunning):
        await harness.spunto.reach.exec(*worker.here, ExecRequest(command=["true"]))


async def test_a_container_that_ends_by_itself_is_stopped_and_starts_again(harness: Harness) -> None:
    node = await harness.add_node("one")
    worker = await a_ready_worker(harness)

    await node.engine.exit_container(worker.container, 137, oom_killed=True)
    await harness.settle()
    assert (await worker.state(), (await worker.problem() or ("",))[0]) == (S.STOPPED, "out_of_memory")

    await worker.start()
    await harness.settle()
    assert (await worker.state(), await worker.problem()) == (S.READY, None)


async def test_ten_workers_share_two_nodes_and_the_eleventh_is_told_why_not(harness: Harness) -> None:
    nodes = [await harness.add_node("one", cpus=5), await harness.add_node("two", cpus=5)]
    project = await harness.add_project(memory_bytes=1024**2)
    for _ in range(10):
        await harness.spawn(project)
    await harness.settle()

    assert [len(running(node)) for node in nodes] == [5, 5]
    with pytest.raises(Conflict, match=r"one has 0 of 5 cpus free, 1 asked; two has 0 of 5 cpus free, 1 asked"):
        await harness.spawn(project)
