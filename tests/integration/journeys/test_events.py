"""The feed of events over real sockets: restarts, stops, readers that stall, and rights that end."""

import asyncio
import json
import select
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.fixtures.waiting import eventually, wait_until
from tests.integration.journeys.command_line import CommandLine
from tests.integration.journeys.feeds import Feed, running_feed

from spunto.client.activity import AuditFilter
from spunto.client.client import SpuntoClient
from spunto.client.errors import BadCredential, NotThere, ServerUnreachable
from spunto.client.following import Event
from spunto.core.kernel.errors import SpuntoError

SOON_SECONDS = 3.0
REACH_SECONDS = 5.0
STALLED_SECONDS = 2.0
MIB = 1024 * 1024
WRITERS = 4


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str | None:
    """Where there is a Postgres server to take a database of; None for SQLite."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.fixture
async def feed(database: str | None, tmp_path: Path) -> AsyncIterator[Feed]:
    async with running_feed(tmp_path, postgres_url=database) as running:
        yield running


@pytest.fixture
async def impatient_feed(database: str | None, tmp_path: Path) -> AsyncIterator[Feed]:
    """It cuts stalled readers sooner than people would have it."""
    stalled = {"SPUNTO_STALLED_SECONDS": str(STALLED_SECONDS)}
    async with running_feed(tmp_path, postgres_url=database, **stalled) as running:
        yield running


class Writers:
    """People who make projects all the time, whatever becomes of the server."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._is_over = False
        self.made: set[str] = set()

    async def write(self, number: int) -> None:
        async with self._feed.client() as client:
            made = 0
            while not self._is_over:
                name = f"p{number}-{made}"
                try:
                    project = await client.projects.create(self._feed.org_id, name, "x", idempotency_key=name)
                except SpuntoError:
                    continue  # The same once more: nobody knows whether it happened.
                self.made.add(project.id)
                made += 1

    def end(self) -> None:
        self._is_over = True

    async def go_on(self) -> None:
        """Wait until more has been made."""
        before = len(self.made)

        async def more() -> bool:
            return len(self.made) >= before + 20

        await eventually(more, seconds=60, what=f"more than {before} projects\n{self._feed.server.tail()}")


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_follower_misses_nothing_and_hears_nothing_twice_whatever_becomes_of_the_server(feed: Feed) -> None:
    heard: list[Event] = []
    writers = Writers(feed)

    async def follow(client: SpuntoClient, after: int) -> None:
        async for event in client.activity.events(feed.org_id, after=after):
            heard.append(event)  # noqa: PERF401 - it is looked at while it grows

    async with feed.client() as client, asyncio.TaskGroup() as group:
        begun_at = await client.activity.position(feed.org_id)
        following = group.create_task(follow(client, begun_at), name="follower")
        writing = [group.create_task(writers.write(number), name="writer") for number in range(WRITERS)]
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            await writers.go_on()
            feed.server.send(number)
            await asyncio.to_thread(feed.server.wait, seconds=SOON_SECONDS + 10)
            assert feed.server.exit_code == (0 if number is signal.SIGTERM else 128 + signal.SIGKILL)
            feed.server.start()
        await writers.go_on()
        writers.end()
        await asyncio.wait(writing)
        last = await client.activity.position(feed.org_id)

        async def all_heard() -> bool:
            return bool(heard) and heard[-1].sequence >= last

        await eventually(all_heard, seconds=30, what=f"event {last}")
        following.cancel()

    assert [event.sequence for event in heard] == list(range(begun_at + 1, last + 1))
    made = [event.subject_id for event in heard if event.type == "project.created"]
    assert sorted(made) == sorted(writers.made)


async def test_a_server_with_open_streams_stops_soon_and_ends_them_well(feed: Feed) -> None:
    token = feed.server.owner_token

    async def read_to_the_end(begun: asyncio.Semaphore) -> None:
        async with feed.stream(token) as lines:
            begun.release()
            async for _ in lines:
                pass

    begun = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(read_to_the_end(begun), name=f"reader {number}")
        for _ in range(20):
            await begun.acquire()
        stopped_at = time.monotonic()
        feed.server.send(signal.SIGTERM)
        code = await asyncio.to_thread(feed.server.wait, seconds=30)

    assert code == 0
    assert time.monotonic() - stopped_at < SOON_SECONDS
    assert "Traceback" not in feed.server.log.read_text()


def stalled_reader(feed: Feed, path: str, *headers: str) -> socket.socket:
    """Asks, and reads nothing of the answer but its first byte."""
    host, _, port = feed.server.url.removeprefix("http://").rpartition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    head = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {feed.server.owner_token}",
        *headers,
    )
    reader.sendall("\r\n".join((*head, "", "")).encode())
    assert select.select([reader], [], [], 10)[0]
    assert reader.recv(1) == b"H"
    return reader


def is_connected(feed: Feed, reader: socket.socket) -> bool:
    """Whether the server still holds its end."""
    held = psutil.Process(feed.server.pid).net_connections("tcp")
    return reader.getsockname() in [tuple(each.raddr) for each in held]


@pytest.mark.long
async def test_a_reader_that_stalls_holds_nobody_up_and_is_cut(impatient_feed: Feed) -> None:
    feed = impatient_feed
    await feed.fill(count=4000, size_bytes=8192)
    before_bytes = feed.server.rss_bytes
    path = f"/api/orgs/{feed.org_id}/events?after=0"
    with stalled_reader(feed, path) as reader:
        stalled_at = time.monotonic()
        async with feed.client() as client:
            at = await client.activity.position(feed.org_id)
            following = client.activity.events(feed.org_id, after=at)
            made = await client.projects.create(feed.org_id, "meanwhile", "x")
            heard = await asyncio.wait_for(anext(following), timeout=1)
            await following.aclose()
        assert is_connected(feed, reader)

        wait_until(lambda: not is_connected(feed, reader), seconds=STALLED_SECONDS + 3, what="the reader is cut")

    assert heard.subject_id == made.id
    assert time.monotonic() - stalled_at >= STALLED_SECONDS
    assert feed.server.rss_bytes - before_bytes < 16 * MIB
    assert "Traceback" not in feed.server.log.read_text()


@pytest.mark.long
async def test_a_stalled_reader_does_not_keep_the_server_from_stopping(feed: Feed) -> None:
    await feed.fill(count=4000, size_bytes=8192)
    with stalled_reader(feed, f"/api/orgs/{feed.org_id}/events?after=0"):
        stopped_at = time.monotonic()

        code = feed.server.stop()

        assert code == 0
        assert time.monotonic() - stopped_at < SOON_SECONDS


@pytest.mark.long
async def test_an_export_that_goes_on_while_the_server_stops_is_whole_or_fails(feed: Feed) -> None:
    await feed.fill(count=4000, size_bytes=8192)
    async with feed.client() as client:
        entries = client.activity.export_audit(feed.org_id, AuditFilter(action="node.drain"))
        exported = [await anext(entries)]
        feed.server.send(signal.SIGTERM)
        wait_until(lambda: '"event": "stopping"' in feed.server.log.read_text(), seconds=10, what="the server stops")

        is_whole = False
        with suppress(ServerUnreachable):
            exported += [entry async for entry in entries]
            is_whole = True

    assert len(exported) == 4000 or not is_whole


@pytest.mark.long
async def test_an_export_that_the_server_s_stop_breaks_off_does_not_look_whole(feed: Feed) -> None:
    await feed.fill(count=4000, size_bytes=8192)

    with stalled_reader(feed, f"/api/orgs/{feed.org_id}/audit", "Accept: application/x-ndjson") as reader:
        feed.server.stop()
        reader.settimeout(10)
        body = b""
        try:
            while piece := reader.recv(65536):
                body += piece
        except ConnectionResetError:
            pass

    assert b"node.drain" in body
    assert not body.endswith(b"\r\n0\r\n\r\n")


Revoke = Callable[[Feed], Awaitable[tuple[str, Callable[[], Awaitable[None]]]]]
"""Gives a token that may follow, and what ends that right: at the other server, where there are two."""


async def of_a_key(feed: Feed) -> tuple[str, Callable[[], Awaitable[None]]]:
    async with feed.client() as client:
        key = await client.api_keys.create(feed.org_id, "follower", ["org:read"])

    async def revoke() -> None:
        async with feed.client(of=feed.other) as client:
            await client.api_keys.revoke(feed.org_id, key.id)

    return key.token.get_secret_value(), revoke


async def of_a_member(feed: Feed) -> tuple[str, Callable[[], Awaitable[None]]]:
    user_id, token = await feed.person("bob")

    async def remove() -> None:
        async with feed.client(of=feed.other) as client:
            await client.orgs.remove_member(feed.org_id, user_id)

    return token, remove


async def of_a_session(feed: Feed) -> tuple[str, Callable[[], Awaitable[None]]]:
    _, token = await feed.person("bob")

    async def sign_out() -> None:
        async with feed.client(token, of=feed.other) as client:
            await client.auth.sign_out()

    return token, sign_out


async def of_all_sessions(feed: Feed) -> tuple[str, Callable[[], Awaitable[None]]]:
    _, token = await feed.person("bob")

    async def sign_out() -> None:
        async with feed.client(token, of=feed.other) as client:
            await client.auth.sign_out(everywhere=True)

    return token, sign_out


@pytest.mark.long
@pytest.mark.parametrize("right", [of_a_key, of_a_member, of_a_session, of_all_sessions])
async def test_a_stream_ends_within_seconds_once_the_right_to_it_does(feed: Feed, right: Revoke) -> None:
    token, revoke = await right(feed)
    async with feed.stream(token) as lines:
        begun = [await anext(lines) for _ in range(4)]
        await revoke()
        revoked_at = time.monotonic()

        async with asyncio.timeout(2 * REACH_SECONDS):
            left = [line async for line in lines]
        took_seconds = time.monotonic() - revoked_at

    assert json.loads(begun[3].removeprefix("data: ")).keys() == {"sequence"}
    assert took_seconds < REACH_SECONDS
    assert [line for line in left if line.startswith("data: ") and token in line] == []
    async with feed.client(token) as client:
        with pytest.raises((BadCredential, NotThere)):
            await client.activity.position(feed.org_id)


async def test_a_follower_of_a_server_that_is_not_there_says_so(feed: Feed) -> None:
    feed.server.stop()

    async with feed.client() as client:
        with pytest.raises(ServerUnreachable):
            await client.activity.position(feed.org_id)


@pytest.mark.long
async def test_the_command_line_follows_and_reads_the_audit_log(feed: Feed, tmp_path: Path) -> None:
    cli = CommandLine(home=tmp_path / "home")
    cli.run("login", "--url", feed.server.url, "--token-file", str(feed.server.owner_token_file))
    cli.run("project", "create", "first")
    with cli.piped("events", "--after", "0", "--json") as following:
        assert following.stdout is not None
        cli.run("project", "create", "second")
        told = [json.loads(following.stdout.readline()) for _ in range(3)]

    asked = ("audit", "--action", "project.create", "--outcome", "allowed", "--since", "1h")
    listed = cli.run(*asked, "--json").json()["items"]
    exported = [json.loads(line) for line in cli.run(*asked, "--export").out.splitlines()]
    by_owner = cli.run(*asked, "--actor", listed[0]["actorId"], "--limit", "1").out

    assert [(each["type"], each["data"]["name"]) for each in told] == [
        ("node.created", "local"),
        ("project.created", "first"),
        ("project.created", "second"),
    ]
    assert [each["detail"]["name"] for each in listed] == ["second", "first"]
    assert exported == listed
    assert [line.split()[2:4] for line in by_owner.splitlines()[1:]] == [["project.create", "allowed"]]
    assert json.loads(cli.run("events", "--after", "999", "--json", code=5).err)["code"] == "events_lost"
    assert cli.run("audit", "--until", "1d").out.splitlines()[1:] == []
