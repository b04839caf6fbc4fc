"""The sender against real receivers: names are checked by where they lead, and by their certificate."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from tests.integration.webhooks.certificates import server_context
from tests.integration.webhooks.receiver import Receiver, receiving

from spunto.adapters.webhooks.sender import HttpWebhookSender
from spunto.core.webhooks.addresses import AddressRule
from spunto.core.webhooks.model import Failure
from spunto.core.webhooks.ports import Answer

LOOPBACK = AddressRule([ip_network("127.0.0.0/8"), ip_network("::1/128")])
HEADERS = {"webhook-id": "evt_1"}
NAME = "hooks.example.org"

Resolves = Callable[..., list[str]]


@pytest.fixture
async def sender() -> AsyncIterator[HttpWebhookSender]:
    opened = HttpWebhookSender(LOOPBACK, timeout_seconds=2)
    yield opened
    await opened.aclose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Resolves:
    """Lets a name have those addresses; each time it is asked for, the next of several answers.

    What comes back fills with the names that were asked for.
    """
    real = socket.getaddrinfo

    def to(*answers: list[str]) -> list[str]:
        waiting, asked = list(answers), list[str]()

        def resolve(host: Any, port: Any, *more: Any, **named: Any) -> Any:
            if host != NAME:
                return real(host, port, *more, **named)
            asked.append(host)
            addresses = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return [each for address in addresses for each in real(address, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return to


async def test_a_message_arrives_as_it_was_signed(sender: HttpWebhookSender, receiver: Receiver) -> None:
    url = f"http://127.0.0.1:{receiver.port}/hook?x=1"

    assert await sender.send(url, headers=HEADERS, body='{"ü":1}'.encode()) == Answer(status=204)

    [got] = receiver.got
    assert (got.path, got.body, got.id) == ("/hook?x=1", '{"ü":1}', "evt_1")
    assert (got.headers["host"], got.headers["content-type"]) == (f"127.0.0.1:{receiver.port}", "application/json")


async def test_by_tls_the_certificate_must_be_of_the_name_though_the_address_is_pinned(
    resolves: Resolves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, root = server_context(tmp_path, NAME)
    resolves(["127.0.0.1"])
    with receiving(tls=context) as receiver:
        unknown = HttpWebhookSender(LOOPBACK)
        assert await unknown.send(f"https://{NAME}:{receiver.port}/", headers=HEADERS, body=b"") == Answer(
            failure=Failure.TLS_FAILED
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        sender = HttpWebhookSender(LOOPBACK)

        good = await sender.send(f"https://{NAME}:{receiver.port}/", headers=HEADERS, body=b"")
        another_name = await sender.send(f"https://127.0.0.1:{receiver.port}/", headers=HEADERS, body=b"")

        assert good == Answer(status=204)
        assert another_name == Answer(failure=Failure.TLS_FAILED)
        assert [got.headers["host"] for got in receiver.got] == [f"{NAME}:{receiver.port}"]
        await unknown.aclose()
        await sender.aclose()


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"], ["::ffff:127.0.0.1"]],
)
async def test_a_name_that_leads_inside_is_not_connected_to(
    resolves: Resolves, receiver: Receiver, addresses: list[str]
) -> None:
    resolves(addresses)
    sender = HttpWebhookSender(AddressRule())

    answer = await sender.send(f"https://{NAME}:{receiver.port}/", headers=HEADERS, body=b"")

    assert answer == Answer(failure=Failure.ADDRESS_NOT_ALLOWED)
    await sender.aclose()


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "localhost", "[::1]", "[::]"])
async def test_nor_is_any_other_way_to_write_this_machine(receiver: Receiver, host: str) -> None:
    sender = HttpWebhookSender(AddressRule())

    answer = await sender.send(f"https://{host}:{receiver.port}/", headers=HEADERS, body=b"")

    assert answer in (Answer(failure=Failure.ADDRESS_NOT_ALLOWED), Answer(failure=Failure.NAME_NOT_RESOLVED))
    assert receiver.got == []
    await sender.aclose()


async def test_a_name_is_resolved_once_so_that_it_can_not_lead_elsewhere_after_the_check(
    sender: HttpWebhookSender, resolves: Resolves, receiver: Receiver
) -> None:
    asked = resolves(["127.0.0.1"], ["192.0.2.1"])

    assert await sender.send(f"http://{NAME}:{receiver.port}/", headers=HEADERS, body=b"") == Answer(status=204)
    assert await sender.send(f"http://{NAME}:{receiver.port}/", headers=HEADERS, body=b"") == Answer(
        failure=Failure.ADDRESS_NOT_ALLOWED
    )
    assert asked == [NAME, NAME]


async def test_plain_http_goes_nowhere_but_to_the_networks_that_are_allowed(
    sender: HttpWebhookSender, resolves: Resolves
) -> None:
    resolves(["8.8.8.8"])

    assert await sender.send(f"http://{NAME}/", headers=HEADERS, body=b"") == Answer(
        failure=Failure.ADDRESS_NOT_ALLOWED
    )


async def test_the_next_address_is_tried_where_one_can_not_be_connected_to(
    sender: HttpWebhookSender, resolves: Resolves, receiver: Receiver
) -> None:
    resolves(["127.0.0.2", "::1", "127.0.0.1"])

    assert await sender.send(f"http://{NAME}:{receiver.port}/", headers=HEADERS, body=b"") == Answer(status=204)


async def test_a_redirect_is_an_answer_and_is_not_followed(sender: HttpWebhookSender, receiver: Receiver) -> None:
    receiver.answer = lambda path, count: (307, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"})

    assert await sender.send(f"http://127.0.0.1:{receiver.port}/", headers=HEADERS, body=b"") == Answer(status=307)
    assert [got.path for got in receiver.got] == ["/"]


async def test_no_proxy_of_the_environment_is_asked(
    sender: HttpWebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert await sender.send(f"http://127.0.0.1:{receiver.port}/", headers=HEADERS, body=b"") == Answer(status=204)


async def test_whoever_does_not_answer_is_given_up_in_time(sender: HttpWebhookSender, receiver: Receiver) -> None:
    gate = threading.Event()

    def wait(path: str, count: int) -> tuple[int, dict[str, str]]:
        gate.wait(30)
        return 204, {}

    receiver.answer = wait
    try:
        answer = await sender.send(f"http://127.0.0.1:{receiver.port}/", headers=HEADERS, body=b"")
    finally:
        gate.set()

    assert answer == Answer(failure=Failure.TIMEOUT)


async def test_an_endless_answer_is_left_at_its_status(sender: HttpWebhookSender) -> None:
    read = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                read += 65536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await sender.send(f"http://127.0.0.1:{port}/", headers=HEADERS, body=b"") == Answer(status=200)

    # What sockets buffer on their own, and no more.
    assert read < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", Failure.CONNECTION_FAILED),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Failure.BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000, Failure.BAD_ANSWER),
    ],
)
async def test_what_is_no_answer_is_told_in_our_own_words(
    sender: HttpWebhookSender, said: bytes, failure: Failure
) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await sender.send(f"http://127.0.0.1:{port}/", headers=HEADERS, body=b"") == Answer(failure=failure)


async def test_a_closed_port_and_a_name_without_address_are_failures(sender: HttpWebhookSender) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    closed = await sender.send(f"http://127.0.0.1:{port}/", headers=HEADERS, body=b"")
    unknown = await sender.send(f"https://{'x' * 64}.example.org/", headers=HEADERS, body=b"")

    assert (closed.failure, unknown.failure) == (Failure.CONNECTION_FAILED, Failure.NAME_NOT_RESOLVED)
