"""Which edges an agent dials."""

import pytest

from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto_agent.relay import EdgeDialler

SERVER = "https://spunto.example.org"
TRUSTED = ("edge.example.net", "*.edges.example.net")


def address_at(url: str, *, server: str = SERVER) -> str:
    return EdgeDialler(server, TRUSTED).address_of(url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (SERVER, "wss://spunto.example.org/api/tunnel/relay"),
        ("https://SPUNTO.example.org:8443/", "wss://SPUNTO.example.org:8443/api/tunnel/relay"),
        ("https://one.spunto.example.org", "wss://one.spunto.example.org/api/tunnel/relay"),
        ("wss://a.b.spunto.example.org/under", "wss://a.b.spunto.example.org/under/api/tunnel/relay"),
        ("https://edge.example.net?x=1#y", "wss://edge.example.net/api/tunnel/relay"),
        ("https://far.edges.example.net", "wss://far.edges.example.net/api/tunnel/relay"),
    ],
)
def test_the_server_s_own_host_and_names_below_and_what_the_owner_named_are_dialled(url: str, address: str) -> None:
    assert address_at(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://other.example.org",
        "https://evilspunto.example.org",
        "https://spunto.example.org.evil.example",
        "https://edges.example.net",
        "https://sub.edge.example.net",
        "https://spunto.example.org@evil.example",
        "https://user@spunto.example.org",
        "http://spunto.example.org",
        "ws://spunto.example.org",
        "ftp://spunto.example.org",
        "file:///etc/passwd",
        "https://",
        "https://spunto.example.org:port",
        "https://spunto.example.org:70000",
        "https://[::1",
        "",
        "spunto.example.org",
    ],
)
async def test_every_other_host_and_every_odd_url_is_refused_unasked(url: str) -> None:
    with pytest.raises(Unavailable) as refused:
        await EdgeDialler(SERVER, TRUSTED)(url, Secret("ticket"))

    assert refused.value.code == "dial_refused"
    assert "ticket" not in refused.value.message


def test_a_server_without_tls_has_edges_without() -> None:
    assert address_at("http://10.0.0.1:80", server="http://10.0.0.1:8000") == "ws://10.0.0.1:80/api/tunnel/relay"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "spunto.localhost", "[::1]"])
def test_a_server_at_a_unix_socket_has_its_edges_on_this_machine(host: str) -> None:
    server = "unix:/run/spunto/server.sock"

    assert address_at(f"http://{host}:8000", server=server) == f"ws://{host}:8000/api/tunnel/relay"
    with pytest.raises(Unavailable):
        address_at("http://192.0.2.1:8000", server=server)
