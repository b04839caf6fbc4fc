"""Commands that run in a worker, over HTTP: what they are given, and what is told of them."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.entrypoints.http.site import Site, a_node

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.workers import reach as worker_reach
from spunto.entrypoints.http import reach_shapes as shapes


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
