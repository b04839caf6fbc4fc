"""What needs a worker's node now, over HTTP: commands, logs, figures, git status and ports."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from tests.unit.entrypoints.http.house import Person, problem_of
from tests.unit.entrypoints.http.site import Site, a_node, container_of

from spunto.adapters.memory.runtime_commands import Command, Process
from spunto.core.access.policy import Action, Role
from spunto.core.executor.streams import serving as streams
from spunto.core.kernel.errors import Unavailable
from spunto.core.workers import reach as worker_reach
from spunto.entrypoints.http import reach as door
from spunto.entrypoints.http import reach_shapes as shapes

READS = ("/logs", "/stats", "/git-status", "/ports")


async def run(site: Site, worker: str, command: Any, **more: Any) -> dict[str, Any]:
    result: dict[str, Any] = await site.json("POST", f"{worker}/exec", {"command": command, **more})
    return result


async def test_a_command_s_outcome_is_told_whole(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    result = await run(site, worker, ["sh", "-c", "echo out; echo err >&2; exit 3"])

    assert result == {
        "exitCode": 3,
        "stdout": "out\n",
        "stderr": "err\n",
        "truncated": False,
        "timedOut": False,
        "durationMs": 0,
    }


async def test_a_text_is_for_the_shell_and_a_list_is_not(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    by_shell = await run(site, worker, "echo $A", env={"A": "1"})
    as_it_is = await run(site, worker, ["echo", "$A"], env={"A": "1"})

    assert (by_shell["stdout"], as_it_is["stdout"]) == ("1\n", "$A\n")


async def test_a_command_gets_its_input_directory_user_and_variables(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    heard = await run(site, worker, ["cat"], stdin="grüße\n" * 1000)
    stood = await run(site, worker, "pwd; id; printenv A", cwd="/tmp", user="root", env={"A": "b c"})

    assert heard["stdout"] == "grüße\n" * 1000
    assert stood["stdout"] == "/tmp\n0\nb c\n"


async def test_a_command_that_takes_too_long_ends_with_124(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    result = await run(site, worker, "echo begun; sleep 1000", timeoutSeconds=0.05)

    assert (result["exitCode"], result["timedOut"], result["stdout"]) == (124, True, "begun\n")


async def test_of_long_output_both_ends_are_kept_and_the_gap_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_reach.WorkerReach._run, "__kwdefaults__", {"head_bytes": 3, "tail_bytes": 4})
    await a_node(site)
    worker = await site.worker()

    result = await run(site, worker, "echo 1234567890; echo 12 >&2")

    gap = "\n[spunto: 4 bytes are left out here]\n"
    assert (result["stdout"], result["stderr"], result["truncated"]) == (f"123{gap}890\n", "12\n", True)


BYTES = bytes(range(256)) * 3


async def test_any_bytes_go_in_and_come_out_as_base64(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    result = await run(site, worker, ["cat"], stdin=b64encode(BYTES).decode(), encoding="base64")

    assert (b64decode(result["stdout"]), result["stderr"]) == (BYTES, "")


async def test_the_largest_input_fits_in_either_encoding(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    largest = "\u8a9e" * (shapes.MAX_STDIN_BYTES // 3)

    as_text = await run(site, worker, ["cat"], stdin=largest)
    as_bytes = await run(site, worker, ["cat"], stdin=b64encode(largest.encode()).decode(), encoding="base64")

    assert as_text["stdout"] == b64decode(as_bytes["stdout"]).decode() == largest


async def test_output_that_is_no_text_is_told_as_well_as_it_can_be(site: Site) -> None:
    async def scribble(process: Process, _: Sequence[str]) -> int:
        await process.write("stdout", b"a\xff\x00b")
        return 0

    await a_node(site, commands={"scribble": scribble})
    worker = await site.worker()

    assert (await run(site, worker, ["scribble"]))["stdout"] == "a\ufffd\x00b"


async def test_a_command_that_the_image_has_not_ends_as_in_a_shell(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    missing = await run(site, worker, ["nope"])
    elsewhere = await run(site, worker, ["true"], cwd="/none")

    assert (missing["exitCode"], "nope" in missing["stderr"]) == (127, True)
    assert (elsewhere["exitCode"], "/none" in elsewhere["stderr"]) == (126, True)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command": []},
        {"command": ""},
        {"command": [1]},
        {"command": None},
        {"command": "true", "cwd": "relative"},
        {"command": "true", "env": {"A=B": "x"}},
        {"command": "true", "env": {"A": 1}},
        {"command": "true", "timeoutSeconds": 0},
        {"command": "true", "timeoutSeconds": 301},
        {"command": "true", "timeoutSeconds": "5"},
        {"command": "true", "user": "Root"},
        {"command": "true", "user": "a b"},
        {"command": "true", "detach": True},
        {"command": "x" * (128 * 1024)},
        {"command": ["é" * 40_000, "é" * 30_000]},
        {"command": ["x"] * 1001},
        {"command": "cat", "stdin": "x" * (512 * 1024 + 1)},
        {"command": "cat", "stdin": "\u8a9e" * 200_000},
        {"command": "cat", "stdin": "no base64!", "encoding": "base64"},
        {"command": "cat", "stdin": b64encode(b"x" * (512 * 1024 + 1)).decode(), "encoding": "base64"},
        {"command": "cat", "encoding": "latin1"},
    ],
)
async def test_a_command_that_can_not_be_run_is_refused(site: Site, body: dict[str, Any]) -> None:
    await a_node(site)
    worker = await site.worker()

    assert await site.problem("POST", f"{worker}/exec", body) == (422, "invalid_request")


async def test_the_largest_command_fits_into_a_frame(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    control = "\x01" * (shapes.MAX_COMMAND_BYTES // 2 - 100)

    result = await run(site, worker, ["true", control, control])

    assert result["exitCode"] == 0


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


SS = 'LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=7,fd=3))\nLISTEN 0 5 [::1]:9 [::]:*\n'


async def test_listening_ports_are_told_with_who_listens(site: Site) -> None:
    async def ss(process: Process, _: Sequence[str]) -> int:
        await process.write("stdout", SS.encode())
        return 0

    await a_node(site, commands={"ss": ss})
    worker = await site.worker()

    ports = await site.json("GET", f"{worker}/ports")

    assert ports == {
        "items": [
            {"port": 9, "address": "::1", "process": None},
            {"port": 8080, "address": "0.0.0.0", "process": "python3"},
        ]
    }


@pytest.mark.parametrize(("below", "lacking", "tool"), [("/ports", "ss", "ss"), ("/git-status", "sh", "sh")])
async def test_an_image_that_lacks_a_tool_is_told_so(site: Site, below: str, lacking: str, tool: str) -> None:
    async def missing(_: Process, __: Sequence[str]) -> int:
        return 127

    await a_node(site, commands={lacking: missing})
    worker = await site.worker()

    problem = await problem_of(await site.call("GET", f"{worker}{below}"))

    assert (problem["status"], problem["code"], problem["tool"]) == (409, "tool_missing", tool)


def says(output: bytes) -> Command:
    async def command(process: Process, _: Sequence[str]) -> int:
        await process.write("stdout", output)
        return 0

    return command


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


def not_running(below: str) -> tuple[int, str]:
    """A conflict with the worker's state; but its figures are only not there for now."""
    return 503 if below == "/stats" else 409, "worker_not_running"


async def reach(site: Site, worker: str, below: str) -> tuple[int, str]:
    if below == "/exec":
        return await site.problem("POST", f"{worker}/exec", {"command": "true"})
    return await site.problem("GET", f"{worker}{below}")


@pytest.mark.parametrize("below", ["/exec", "/stats", "/git-status", "/ports"])
async def test_a_stopped_worker_is_not_running(site: Site, below: str) -> None:
    await a_node(site)
    worker = await site.worker()
    await site.json("POST", f"{worker}/stop", status=202)
    await site.harness.settle()

    assert await reach(site, worker, below) == not_running(below)


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_a_worker_without_a_container_is_not_running(site: Site, below: str) -> None:
    node = await a_node(site, published=["slow"])
    node.engine.hold_pulls()
    project = await site.project(image="slow")
    spawned = await site.json("POST", f"{project}/workers", {}, status=202)
    await site.harness.settle()

    assert await reach(site, f"{project}/workers/{spawned['id']}", below) == not_running(below)


@pytest.mark.parametrize("below", ["/exec", "/stats", "/git-status", "/ports"])
async def test_a_container_that_has_just_ended_is_not_running(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    exiting = asyncio.ensure_future(node.engine.exit_container(container_of(worker), 1))

    refusal = await reach(site, worker, below)
    await exiting

    assert refusal == not_running(below)


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_an_offline_node_is_told_with_when_to_come_back(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.disconnect()
    await site.harness.settle()

    method, body = ("POST", {"command": "true"}) if below == "/exec" else ("GET", None)
    response = await site.call(method, f"{worker}{below}", body)

    assert (await problem_of(response))["code"] == "node_offline"
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_an_engine_that_does_not_answer_is_told(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await node.break_engine()

    assert await reach(site, worker, below) == (503, "engine_unavailable")


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_a_node_that_loses_its_connection_meanwhile_is_told(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.partition()
    asking = asyncio.ensure_future(reach(site, worker, below))
    await site.harness.advance(60)

    assert await asking == (503, "connection_lost")


@pytest.mark.parametrize("below", ["/exec", "/logs", "/stats"])
async def test_a_node_that_says_nothing_is_not_waited_for_for_ever(
    site: Site, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.setattr(worker_reach, "ANSWER_SECONDS", 0.01)
    node = await a_node(site)
    worker = await site.worker()
    node.partition()
    body = {"command": "true", "timeoutSeconds": 0.01}

    if below == "/exec":
        refusal = await site.problem("POST", f"{worker}{below}", body)
    else:
        refusal = await site.problem("GET", f"{worker}{below}")
    await node.reconnect()

    assert refusal == (503, "node_silent")


LINE = b'{"at": "", "stream": "stdout", "line": ""}\n'


@pytest.mark.parametrize(
    "said",
    [
        LINE * 4,
        LINE * 3 + b"x" * 1000,
        b"nonsense\n",
        b"[]\n",
        b'{"at": 1, "stream": "stdout", "line": ""}\n',
        b'{"at": "',
    ],
)
async def test_a_node_that_speaks_nonsense_is_not_believed(
    site: Site, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(door, "MAX_RAW_LOG_BYTES", 500)

    async def send_nonsense(stream: Any, chunks: Any) -> None:
        await chunks.aclose()
        await stream.write(said)
        await stream.write_eof()

    monkeypatch.setattr(streams, "_send_logs", send_nonsense)
    await a_node(site)
    worker = await site.worker()

    assert await site.problem("GET", f"{worker}/logs?tail=3") == (503, "node_answer_unreadable")


async def test_only_its_owner_reaches_into_a_worker(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    ada = await site.member("ada", role=Role.ADMIN)

    for below in ("/git-status", "/ports"):
        assert await site.problem("GET", f"{worker}{below}", by=ada) == (403, "not_owner")
    assert await site.problem("POST", f"{worker}/exec", {"command": "true"}, by=ada) == (403, "not_owner")
    assert await site.json("GET", f"{worker}/stats", by=ada)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("below", ["/exec", "/git-status"])
async def test_what_runs_in_a_worker_ends_within_five_seconds_of_its_key(
    site: Site, below: str, *, elsewhere: bool
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def go_on(_: Process, __: Sequence[str]) -> int:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    await a_node(site, commands={"sh": go_on})
    worker = await site.worker()
    made = await site.json("POST", f"{site.org}/api-keys", {"name": "CI", "scopes": ["workers:exec"]}, status=201)
    method, body = ("POST", {"command": "go on"}) if below == "/exec" else ("GET", None)
    key = Person(user_id=site.owner.user_id, org_id=site.owner.org_id, token=made["token"])
    asking = asyncio.ensure_future(site.problem(method, f"{worker}{below}", body, by=key))
    await begun.wait()
    await site.harness.settle()

    if elsewhere:
        tenant = site.harness.owner.require(Action.API_KEY_REVOKE, org_id=site.owner.org_id)
        async with site.house.store() as tx:
            await tx.api_keys.revoke(tenant, made["id"], at=site.house.clock.now())
            await tx.commit()
        await site.harness.advance(5)
    else:
        await site.call("DELETE", f"{site.org}/api-keys/{made['id']}")

    async with asyncio.timeout(5):
        assert await asking == (401, "credential_not_good")
        await ended.wait()
