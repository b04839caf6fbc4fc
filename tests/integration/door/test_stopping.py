"""A server that is stopped answers what was begun, and says of each answer that it is the last on its connection."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures.processes import Server, running_server
from tests.fixtures.waiting import wait_until
from tests.integration.door.raw import Wire, wire

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CLIENTS = 8


def refuses(server: Server) -> bool:
    try:
        with wire(server.url):
            return False
    except ConnectionError:
        return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as server:
        yield server


def test_a_connection_that_was_let_in_has_its_first_request_answered(server: Server) -> None:
    with wire(server.url) as connection:
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until(lambda: refuses(server), seconds=10, what="the server lets nobody in")

        connection.send(HEALTH)
        answer = connection.answer()

        stopping.join()
    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (200, "close")


class Customer(threading.Thread):
    """Comes in, asks once and goes, again and again until nobody lets it in; `lost` were let in and not answered."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.answered = self.lost = 0

    def run(self) -> None:
        while True:
            try:
                with wire(self._url) as connection:
                    if self._asked(connection):
                        self.answered += 1
                    else:
                        self.lost += 1
            except ConnectionRefusedError:
                return

    @staticmethod
    def _asked(connection: Wire) -> bool:
        try:
            connection.send(HEALTH)
        except ConnectionError:
            return False
        return connection.answer() is not None


def test_nobody_who_was_let_in_goes_without_an_answer(server: Server) -> None:
    customers = [Customer(server.url) for _ in range(CLIENTS)]
    for each in customers:
        each.start()
    wait_until(lambda: all(each.answered for each in customers), seconds=10, what="all are served")

    server.stop()

    for each in customers:
        each.join()
    assert sum(each.lost for each in customers) == 0
