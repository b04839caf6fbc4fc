"""Files of a worker over HTTP: parts and versions, flags that contradict one another, and what is refused how."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.house import problem_of
from tests.unit.entrypoints.http.site import Site, a_node

from spunto.core.access.policy import Role
from spunto.core.executor.file_work import FilesOutOfReach


@pytest.fixture
async def files(site: Site) -> str:
    await a_node(site)
    return f"{await site.worker()}/files"


async def put(site: Site, path: str, content: bytes, **more: Any) -> dict[str, Any]:
    shown: dict[str, Any] = await site.json("PUT", path, content, **more)
    return shown


async def test_what_was_written_is_told_and_read_again_with_its_version(site: Site, files: str) -> None:
    written = await put(site, f"{files}?path=/workspace/a&mode=600", b"abc", status=201)
    answer = await site.call("GET", f"{files}?path=/workspace/a")
    again = await site.call("GET", f"{files}?path=/workspace/a", headers={"If-None-Match": written["etag"]})
    seen = await site.json("GET", f"{files}?path=/workspace/a&stat")

    assert (written["type"], written["sizeBytes"], written["mode"], seen) == ("file", 3, "0600", written)
    assert await answer.get_data(as_text=False) == b"abc"
    assert answer.headers["ETag"] == written["etag"]
    assert answer.headers["Content-Disposition"] == "attachment; filename=a"
    assert (answer.content_type, answer.content_length) == ("application/octet-stream", 3)
    assert (again.status_code, again.headers["ETag"]) == (304, written["etag"])


@pytest.mark.parametrize(
    ("asked", "status", "told", "content"),
    [
        ("bytes=1-2", 206, "bytes 1-2/8", b"bc"),
        ("bytes=6-", 206, "bytes 6-7/8", b"gh"),
        ("bytes=-3", 206, "bytes 5-7/8", b"fgh"),
        ("bytes=6-900", 206, "bytes 6-7/8", b"gh"),
        ("bytes=0-1,4-5", 200, None, b"abcdefgh"),
        ("lines=1-2", 200, None, b"abcdefgh"),
        ("bytes=3-2", 200, None, b"abcdefgh"),
    ],
)
async def test_a_part_is_answered_as_the_standard_has_it(
    site: Site, files: str, asked: str, status: int, told: str | None, content: bytes
) -> None:
    await put(site, f"{files}?path=/workspace/a", b"abcdefgh", status=201)

    answer = await site.call("GET", f"{files}?path=/workspace/a", headers={"Range": asked})

    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, told)
    assert await answer.get_data(as_text=False) == content


async def test_a_part_that_is_not_there_is_refused_with_the_size(site: Site, files: str) -> None:
    await put(site, f"{files}?path=/workspace/a", b"abc", status=201)

    answer = await site.call("GET", f"{files}?path=/workspace/a", headers={"Range": "bytes=3-"})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */3")
    assert (await problem_of(answer))["code"] == "range_not_satisfiable"


async def test_a_part_of_what_has_changed_is_the_whole(site: Site, files: str) -> None:
    first = await put(site, f"{files}?path=/workspace/a", b"abc", status=201)
    second = await put(site, f"{files}?path=/workspace/a", b"abcd")

    stale, fresh = [
        await site.call("GET", f"{files}?path=/workspace/a", headers={"Range": "bytes=2-", "If-Range": each["etag"]})
        for each in (first, second)
    ]

    assert (stale.status_code, await stale.get_data(as_text=False)) == (200, b"abcd")
    assert (fresh.status_code, await fresh.get_data(as_text=False)) == (206, b"cd")


async def test_only_the_version_that_was_seen_is_replaced_or_removed(site: Site, files: str) -> None:
    path = f"{files}?path=/workspace/a"
    first = await put(site, path, b"1", status=201)
    seen, stale = {"If-Match": first["etag"]}, {"If-Match": '"0-0"'}

    refused = [await site.problem(method, path, b"2", headers=stale) for method in ("PUT", "DELETE")]
    unreadable = await site.problem("PUT", path, b"2", headers={"If-Match": ","})
    missing = await site.problem("PUT", f"{path}b", b"2", headers={"If-Match": "*"})
    await put(site, path, b"2", headers=seen)

    assert refused == [(412, "precondition_failed")] * 2
    assert (unreadable, missing) == ((400, "invalid_if_match"), (412, "precondition_failed"))


async def test_directories_are_made_listed_moved_and_removed(site: Site, files: str) -> None:
    made = await site.json("PUT", f"{files}?path=/workspace/d/e&directory&parents", status=201)
    for name in ("b", "a"):
        await put(site, f"{files}?path=/workspace/d/e/{name}", b"", status=201)

    first = await site.json("GET", f"{files}?path=/workspace/d/e&list=true&limit=1")
    rest = await site.json("GET", f"{files}?path=/workspace/d/e&list&cursor={first['nextCursor']}")
    moved = await site.json(
        "POST", f"{files}/move", {"from": "/workspace/d/e/a", "to": "/workspace/f/a", "parents": True}
    )
    full = await site.problem("DELETE", f"{files}?path=/workspace/d")
    await site.call("DELETE", f"{files}?path=/workspace/d&recursive")

    assert (made["type"], made["path"], moved["path"]) == ("directory", "/workspace/d/e", "/workspace/f/a")
    assert [each["path"] for each in (*first["items"], *rest["items"])] == ["/workspace/d/e/a", "/workspace/d/e/b"]
    assert (rest["nextCursor"], full) == (None, (409, "directory_not_empty"))
    assert await site.problem("GET", f"{files}?path=/workspace/d&stat") == (404, "file_not_found")


async def test_a_tree_goes_out_and_in_as_an_archive(site: Site, files: str) -> None:
    await put(site, f"{files}?path=/workspace/d/a&parents", b"1", status=201)

    packed = await site.call("GET", f"{files}?path=/workspace/d&archive")
    archive = await packed.get_data(as_text=False)
    unpacked = await put(site, f"{files}?path=/workspace/e&archive&parents&as=again", archive)

    assert (packed.content_type, unpacked) == ("application/x-tar", {"entries": 2})
    assert await (await site.call("GET", f"{files}?path=/workspace/e/again/a")).get_data(as_text=False) == b"1"


@pytest.mark.parametrize(
    ("method", "query", "problem"),
    [
        ("GET", "", (400, "invalid_query")),
        ("GET", "path=relative", (400, "invalid_query")),
        ("GET", "path=/a%00b", (400, "invalid_query")),
        ("GET", f"path=/{'x' * 4095}", (400, "invalid_query")),
        ("GET", "path=/workspace&list&stat", (400, "invalid_query")),
        ("GET", "path=/workspace&list=false", (400, "invalid_query")),
        ("GET", "path=/workspace&content", (400, "invalid_query")),
        ("GET", "path=/workspace&limit=1", (400, "invalid_query")),
        ("GET", "path=/workspace&list&cursor=!", (400, "invalid_query")),
        ("GET", "path=/workspace", (409, "file_is_directory")),
        ("GET", "path=/workspace/none", (404, "file_not_found")),
        ("GET", "path=/workspace/none&archive", (404, "file_not_found")),
        ("PUT", "path=/workspace/a&mode=999", (400, "invalid_query")),
        ("PUT", "path=/workspace/a&archive&mode=600", (400, "invalid_query")),
        ("PUT", "path=/workspace/a&as=b", (400, "invalid_query")),
        ("PUT", "path=/workspace&archive&as=a%2Fb", (400, "invalid_query")),
        ("PUT", "path=/workspace&archive&as=..", (422, "path_unusable")),
        ("PUT", "path=/workspace/none/a", (404, "file_not_found")),
        ("PUT", "path=/workspace", (409, "file_is_directory")),
        ("DELETE", "path=/workspace/none", (404, "file_not_found")),
    ],
)
async def test_what_can_not_be_is_refused_by_name(
    site: Site, files: str, method: str, query: str, problem: tuple[int, str]
) -> None:
    body = b"x" if method == "PUT" else None

    assert await site.problem(method, f"{files}?{query}", body) == problem


async def test_what_is_no_archive_leaves_nothing(site: Site, files: str) -> None:
    refused = await site.problem("PUT", f"{files}?path=/workspace&archive", b"x" * 2048)

    assert refused == (422, "archive_unreadable")
    assert (await site.json("GET", f"{files}?path=/workspace&list"))["items"] == []


async def test_nothing_that_is_there_is_replaced_unasked(site: Site, files: str) -> None:
    await put(site, f"{files}?path=/workspace/a", b"1", status=201)
    await put(site, f"{files}?path=/workspace/b", b"2", status=201)

    created = await site.problem("PUT", f"{files}?path=/workspace/a&create", b"3")
    moved = await site.problem("POST", f"{files}/move", {"from": "/workspace/a", "to": "/workspace/b"})
    encoded = await site.problem("PUT", f"{files}?path=/workspace/a", b"3", headers={"Content-Encoding": "gzip"})

    assert (created, moved, encoded) == (
        (409, "file_exists"),
        (409, "file_exists"),
        (422, "content_encoding_unsupported"),
    )


async def test_files_are_their_workers_owners(site: Site, files: str) -> None:
    bob = await site.member("bob", role=Role.ADMIN)

    assert await site.problem("GET", f"{files}?path=/workspace&list", by=bob) == (403, "not_owner")
    assert await site.problem("PUT", f"{files}?path=/workspace/a", b"", by=bob) == (403, "not_owner")


async def test_files_of_a_stopped_worker_and_of_one_out_of_reach_are_refused(site: Site, files: str) -> None:
    worker = files.removesuffix("/files")
    node = site.harness.nodes["one"]
    node.engine.fail_next("files", FilesOutOfReach("it runs elsewhere"))

    out_of_reach = await site.problem("GET", f"{files}?path=/workspace&list")
    await site.json("POST", f"{worker}/stop", status=202)
    await site.harness.settle()
    stopped = await site.problem("GET", f"{files}?path=/workspace&list")

    assert (out_of_reach, stopped) == ((503, "files_out_of_reach"), (409, "worker_not_running"))


async def test_looking_is_no_activity_and_writing_is(site: Site, files: str) -> None:
    worker = files.removesuffix("/files")

    await site.json("GET", f"{files}?path=/workspace&list")
    before = (await site.json("GET", worker))["lastActivity"]["source"]
    await site.harness.advance(120)
    await put(site, f"{files}?path=/workspace/a", b"", status=201)

    assert (before, (await site.json("GET", worker))["lastActivity"]["source"]) == ("spawn", "files")
