"""Listening ports as /proc shows them."""

import os
import socket
from pathlib import Path

import pytest

from spunto.adapters.runtimes import proc_net
from spunto.adapters.runtimes.proc_net import Listening, listening, ports_of
from spunto.core.executor.listening_port import ListeningPort

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TABLE = (
    f"{HEAD}   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100\n"
    "   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100\n"
    "   2: nonsense\n"
    "   3: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1 0\n"
    "   4: 0000000000000000FFFF00000100007F:0BB9 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4714 1 0\n"
    "   5: 01:0BBA 00:0000 0A 0:0 00:0 0 0 0 4715 1 0\n"
)


def test_listeners_alone_are_read_with_their_addresses() -> None:
    assert list(listening(TABLE)) == [
        Listening(port=8080, address="127.0.0.1", inode=4711),
        Listening(port=3000, address="::1", inode=4713),
        Listening(port=3001, address="::ffff:127.0.0.1", inode=4714),
    ]


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.213.0.2", False),
        ("::ffff:10.213.0.2", False),
    ],
)
def test_what_is_bound_to_loopback_is_marked(address: str, *, is_loopback: bool) -> None:
    assert ListeningPort(port=3000, address=address, process=None).is_loopback is is_loopback


def test_a_socket_of_this_machine_is_found_with_who_holds_it() -> None:
    name = Path("/proc/self/comm").read_text().rstrip("\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        found = [each for each in ports_of(os.getpid()) if each.port == port]

    assert found == [ListeningPort(port=port, address="127.0.0.1", process=name)]


def test_a_worker_with_too_many_open_files_has_its_ports_without_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc_net, "_MAX_FILES", 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        found = [each for each in proc_net.ports_of(os.getpid()) if each.port == port]

    assert found == [ListeningPort(port=port, address="127.0.0.1", process=None)]


def test_a_process_that_is_none_can_not_be_looked_at() -> None:
    with pytest.raises(OSError, match="No such file"):
        ports_of(2**22 + 1)
