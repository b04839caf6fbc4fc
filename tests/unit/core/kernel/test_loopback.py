"""Names of this very machine."""

import pytest

from spunto.core.kernel.loopback import is_loopback, programs_url


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost", True),
        ("spunto.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_a_machine_knows_its_own_names(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own


@pytest.mark.parametrize(
    ("url", "for_programs"),
    [
        ("http://spunto.localhost:8000", "http://127.0.0.1:8000"),
        ("http://a.w.localhost/x?y", "http://127.0.0.1/x?y"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://spunto.example.org", "https://spunto.example.org"),
        ("unix:/run/server.sock", "unix:/run/server.sock"),
    ],
)
def test_programs_get_a_name_that_resolves(url: str, for_programs: str) -> None:
    assert programs_url(url) == for_programs
