"""People and programs at a worker's port, over https and HTTP/2, through Caddy and either of two edges."""

import hashlib
import os
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.fixtures.browsers import visited
from tests.fixtures.waiting import wait_until
from tests.integration.hosted.hosted import Hosted
from tests.integration.hosted.place import APP_DOMAIN, EDGES
from tests.integration.hosted.site import Site

pytestmark = [pytest.mark.docker, pytest.mark.postgres, pytest.mark.browser, pytest.mark.long]

ECHO = """
async () => new Promise(done => {
    const socket = new WebSocket(`wss://${location.host}/echo`);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = message => { socket.close(); done(message.data); };
    socket.onerror = () => done("refused");
})
"""


def echoes(page: Page) -> bool:
    """Whether a socket to the page's host gives back what it is told."""
    return bool(page.evaluate(ECHO) == "hello")


def test_a_signed_in_person_opens_a_page_and_a_socket_of_their_worker(site: Site[Hosted]) -> None:
    with site.signed_in() as context:
        page = context.new_page()

        answer = visited(page, f"{site.url}/page")

        assert (answer.status, page.title(), page.url) == (200, "served", f"{site.url}/page")
        assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        [cookie] = context.cookies(site.url)
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-spw", True, True)
        wait_until(lambda: echoes(page), seconds=5, what="an echo, from one try to the next as in `visited`")
        told = page.evaluate("async () => (await fetch('/headers')).json()")
        assert "cookie" not in told
        assert told["x-forwarded-proto"] == "https"
        assert told["x-forwarded-host"] == f"{site.host}:{site.hosted.port}"


def test_a_stranger_is_led_to_the_server_s_own_address(site: Site[Hosted]) -> None:
    with site.browser.new_context() as context:
        page = context.new_page()

        visited(page, f"{site.url}/page")

        assert page.url.startswith(f"{site.hosted.url}/")
    with site.hosted.client(site.host, token="") as program:
        assert program.get("/").status_code == 401


def test_a_program_sends_as_much_as_it_likes(site: Site[Hosted]) -> None:
    body = os.urandom(5_000_000)
    with site.hosted.client(site.host) as program:
        whole = program.post("/", content=body)
        in_pieces = program.post("/", content=iter([body[:1000], body[1000:]]))

    assert whole.http_version == "HTTP/2"
    assert [whole.text, in_pieces.text] == [hashlib.sha256(body).hexdigest()] * 2


def test_a_worker_is_told_the_client_s_address_and_nothing_that_the_client_says_of_itself(site: Site[Hosted]) -> None:
    with site.hosted.client(site.host) as program:
        told = program.get("/headers", headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}).json()

    assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert "authorization" not in told


def test_the_names_of_edges_answer_nothing_but_nodes_with_a_ticket(site: Site[Hosted]) -> None:
    for edge in EDGES:
        with site.hosted.client(f"{edge}.{APP_DOMAIN}") as client:
            answers = [client.get(path).status_code for path in ("/", "/api/orgs", "/api/tunnel/relay")]

        assert answers == [404, 404, 404]


def test_the_operator_is_told_of_both_edges(site: Site[Hosted]) -> None:
    told = site.hosted.cli.run("edge", "list", code=0, **site.hosted.database).out.splitlines()

    assert [line.split()[1:3] for line in told] == [[edge, "connected"] for edge in EDGES]
    assert [line.split()[-1] for line in told] == [f"https://{edge}.{APP_DOMAIN}:{site.hosted.port}" for edge in EDGES]


def test_plain_http_is_sent_to_https(site: Site[Hosted]) -> None:
    port = int(site.hosted.caddy.environment["HTTP_PORT"])
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(f"GET /page HTTP/1.1\r\nHost: {site.host}\r\nConnection: close\r\n\r\n".encode())
        answer = plain.makefile("rb").read().decode()

    assert answer.startswith("HTTP/1.1 308 ")
    assert f"Location: https://{site.host}" in answer


@pytest.fixture
def mended(site: Site[Hosted]) -> Iterator[Site[Hosted]]:
    """Whatever was ended runs again afterwards."""
    yield site
    site.hosted.start()


@pytest.mark.parametrize("place", [0, 1])
def test_where_an_edge_is_killed_the_other_one_serves(mended: Site[Hosted], place: int) -> None:
    mended.hosted.edges[place].kill()

    with mended.signed_in() as context:
        page = context.new_page()
        visited(page, f"{mended.url}/page")

        assert page.title() == "served"
        wait_until(lambda: echoes(page), seconds=5, what="an echo, from one try to the next as in `visited`")


@pytest.mark.parametrize("place", [0, 1])
def test_where_a_server_is_killed_ports_of_workers_are_served_on(mended: Site[Hosted], place: int) -> None:
    mended.hosted.servers[place].kill()

    with mended.signed_in() as context:
        page = context.new_page()
        wait_until(
            lambda: visited(page, f"{mended.url}/page").ok and page.title() == "served", seconds=45, what="a page"
        )
        wait_until(lambda: echoes(page), seconds=5, what="an echo, from one try to the next as in `visited`")
