"""What is asked of a worker's node over HTTP: logs, figures, ports and git status."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from tests.unit.entrypoints.http.house import problem_of
from tests.unit.entrypoints.http.site import Site, a_node, container_of, id_of

from spunto.adapters.memory.runtime_commands import Command, Process
from spunto.core.executor.port_connection import PortConnection
from spunto.core.executor.runtime import EngineRefused
from spunto.core.executor.streams.serving import STREAMS
from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.http import reach as door
from spunto.entrypoints.http import reach_shapes as shapes
from spunto.testing.node import SimulatedNode


async def test_the_log_is_plain_text_with_times_where_asked(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await node.engine.write_log(container_of(worker), "first")
    await site.harness.advance(1)
    await node.engine.write_log(container_of(worker), "second")

    plain = await site.call("GET", f"{worker}/logs")
    timed = await site.call("GET", f"{worker}/logs?timestamps=true&tail=1")
    since = await site.call("GET", f"{worker}/logs?since=2026-01-01T00:00:01Z")

    assert plain.content_type == "text/plain; charset=utf-8"
    assert [await each.get_data(as_text=True) for each in (plain, timed, since)] == [
        "first\nsecond\n",
        "2026-01-01T00:00:01Z second\n",
        "second\n",
    ]


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/x-ndjson", True),
        ("text/plain;q=0.1, application/x-ndjson", True),
        ("application/x-ndjson;q=0.1, text/plain", False),
        ("application/x-ndjson;q=0", False),
        ("application/*;q=0.9", True),
        ("*/*", False),
        ("application/json", False),
        ("not a type", False),
    ],
)
async def test_the_log_is_json_lines_where_these_are_preferred(site: Site, accept: str, *, is_json: bool) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await node.engine.write_log(container_of(worker), "one")

    response = await site.call("GET", f"{worker}/logs", headers={"Accept": accept})

    body = await response.get_data(as_text=True)
    if is_json:
        assert orjson.loads(body) == {"at": "2026-01-01T00:00:00Z", "stream": "stdout", "line": "one"}
        assert response.content_type == "application/x-ndjson"
    else:
        assert body == "one\n"


@pytest.mark.parametrize(
    "query",
    ["tail=0", "tail=10001", "tail=x", "timestamps=maybe", "since=2026-01-01T00:00:00", "since=yesterday", "follow=1"],
)
async def test_a_log_is_not_asked_for_in_other_ways(site: Site, query: str) -> None:
    worker = f"{await site.project()}/workers/{site.house.ids.new('wkr')}"

    assert await site.problem("GET", f"{worker}/logs?{query}") == (400, "invalid_query")


async def test_of_a_log_that_is_too_long_the_newest_lines_are_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_LOG_BYTES", 7)
    node = await a_node(site)
    worker = await site.worker()
    for line in ("aaa", "bbb", "ccc"):
        await node.engine.write_log(container_of(worker), line)

    response = await site.call("GET", f"{worker}/logs")

    assert await response.get_data(as_text=True) == "bbb\nccc\n"
    assert response.headers["Log-Truncated"] == "true"


async def test_the_log_of_a_stopped_worker_can_be_read(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await node.engine.write_log(container_of(worker), "last words")
    await site.json("POST", f"{worker}/stop", status=202)
    await site.harness.settle()

    response = await site.call("GET", f"{worker}/logs")

    assert await response.get_data(as_text=True) == "last words\n"


async def test_the_figures_have_every_field(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    stats = await site.json("GET", f"{worker}/stats")

    assert set(stats) == set(shapes.StatsOut.__annotations__)
    assert None not in stats.values()
    assert stats["sampledAt"].endswith("Z")


@pytest.mark.parametrize("body", [{}, {"cpuPercent": "much"}])
def test_figures_that_are_none_are_the_nodes_trouble(body: dict[str, Any]) -> None:
    with pytest.raises(Unavailable) as refused:
        shapes.stats_out(body)

    assert refused.value.code == "node_answer_unreadable"


def says(output: bytes) -> Command:
    async def command(process: Process, _: Sequence[str]) -> int:
        await process.write("stdout", output)
        return 0

    return command


SS = 'LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=7,fd=3))\nLISTEN 0 5 [::1]:9 [::]:*\n'


async def hang_up(_: PortConnection) -> None:
    pass


async def test_listening_ports_are_told_with_who_listens_and_nothing_runs_for_it(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.serve_port(id_of(worker), 3000, hang_up, address="127.0.0.1", process="node")
    node.serve_port(id_of(worker), 4000, hang_up)
    await site.json("PUT", f"{worker}/ports/4000", {"sharing": "public"})
    node.engine.fail_next("exec", EngineRefused("nothing may run here"))

    ports = await site.json("GET", f"{worker}/ports")

    urls = (await site.json("GET", worker))["urls"]["port"]
    at = {port: urls.replace("{port}", str(port)) for port in (3000, 4000)}
    assert ports == {
        "items": [
            {"port": 3000, "address": "127.0.0.1", "process": "node", "url": at[3000], "sharing": "owner"},
            {"port": 4000, "address": "0.0.0.0", "process": "program", "url": at[4000], "sharing": "public"},
        ]
    }


async def test_each_look_at_the_ports_is_a_new_one(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()

    before = await site.json("GET", f"{worker}/ports")
    node.serve_port(id_of(worker), 3000, hang_up)
    after = await site.json("GET", f"{worker}/ports")

    assert [[item["port"] for item in ports["items"]] for ports in (before, after)] == [[], [3000]]


async def test_of_more_ports_than_anybody_looks_at_the_highest_are_left_out(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    for port in range(1, 4098):
        node.serve_port(id_of(worker), port, hang_up)

    ports = await site.json("GET", f"{worker}/ports")

    assert [item["port"] for item in ports["items"]] == list(range(1, 4097))


def is_blind(node: SimulatedNode) -> None:
    node.engine.sees_processes = False


def is_older(node: SimulatedNode) -> None:
    node.streams = [each for each in STREAMS if each != "ports"]
    node.restart_agent()


AGENTS_THAT_CAN_NOT_TELL = pytest.mark.parametrize("befalls", [is_blind, is_older])


@AGENTS_THAT_CAN_NOT_TELL
async def test_what_the_agent_can_not_tell_is_asked_of_the_worker_itself(
    site: Site, befalls: Callable[[SimulatedNode], None]
) -> None:
    node = await a_node(site, commands={"ss": says(SS.encode())})
    worker = await site.worker()
    node.serve_port(id_of(worker), 3000, hang_up)
    befalls(node)
    await site.harness.settle()

    await site.json("PUT", f"{worker}/ports/8080", {"sharing": "org"})

    ports = await site.json("GET", f"{worker}/ports")

    urls = (await site.json("GET", worker))["urls"]["port"]
    at = {port: urls.replace("{port}", str(port)) for port in (9, 8080)}
    assert ports == {
        "items": [
            {"port": 9, "address": "::1", "process": None, "url": at[9], "sharing": "owner"},
            {"port": 8080, "address": "0.0.0.0", "process": "python3", "url": at[8080], "sharing": "org"},
        ]
    }


async def missing(_: Process, __: Sequence[str]) -> int:
    return 127


@AGENTS_THAT_CAN_NOT_TELL
async def test_an_image_without_ss_is_told_so_where_the_agent_can_not_tell_either(
    site: Site, befalls: Callable[[SimulatedNode], None]
) -> None:
    node = await a_node(site, commands={"ss": missing})
    worker = await site.worker()
    befalls(node)
    await site.harness.settle()

    problem = await problem_of(await site.call("GET", f"{worker}/ports"))

    assert (problem["status"], problem["code"], problem["tool"]) == (409, "tool_missing", "ss")


async def test_an_image_without_a_shell_is_told_so(site: Site) -> None:
    await a_node(site, commands={"sh": missing})
    worker = await site.worker()

    problem = await problem_of(await site.call("GET", f"{worker}/git-status"))

    assert (problem["status"], problem["code"], problem["tool"]) == (409, "tool_missing", "sh")


async def test_an_image_without_git_is_told_so(site: Site) -> None:
    await a_node(site, commands={"sh": says(b"missing\0git\0")})
    worker = await site.worker()

    problem = await problem_of(await site.call("GET", f"{worker}/git-status"))

    assert (problem["status"], problem["code"], problem["tool"]) == (409, "tool_missing", "git")


async def test_git_repositories_are_told(site: Site) -> None:
    counts = b"=  1 # branch.oid 12\n=  1 # branch.head main\n=  7 ?\n=  1 exit 0\n=unpushed 0 2\n"
    said = b"repo\0/workspace/a\0" + counts + b"\0repo\0/workspace/b\0fatal: broken\n=  1 exit 128\n\0found\x001\x00"
    await a_node(site, commands={"sh": says(said)})
    worker = await site.worker()

    assert await site.json("GET", f"{worker}/git-status") == {
        "repos": [
            {
                "path": "/workspace/a",
                "branch": "main",
                "head": "12",
                "ahead": None,
                "behind": None,
                "staged": 0,
                "modified": 0,
                "untracked": 7,
                "unpushed": 2,
                "stashed": 0,
            },
            {"path": "/workspace/b", "error": "fatal: broken"},
        ],
        "truncated": True,
    }
