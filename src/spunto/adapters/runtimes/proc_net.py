"""What listens for TCP in a container, as the machine's /proc shows it: no exec, and nothing needed in the image."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import islice
from pathlib import Path
from typing import Final

from spunto.core.executor.listening_port import ListeningPort

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"
# Docker listens here in every container on a network of its own, for the DNS of that network.
_ENGINE_DNS: Final = "127.0.0.11"
# Past so many of a container's open files the names of processes are left out, so that no worker keeps the agent busy.
_MAX_FILES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """`inode` is the socket's, by which the process that holds it is found."""

    port: int
    address: str
    inode: int


def ports_of(pid: int) -> list[ListeningPort]:
    """In the network of the process, by port. Raises OSError where it has ended, or may not be looked at."""
    network = (_PROC / str(pid) / "ns/net").readlink()
    found = list(_listening_in(pid))
    names = _holders(_pids_in(network))
    ports = {
        ListeningPort(port=each.port, address=each.address, process=names.get(each.inode))
        for each in found
        if each.inode in names or each.address != _ENGINE_DNS
    }
    return sorted(ports, key=lambda each: (each.port, each.address, each.process or ""))


def listening(table: str) -> Iterator[Listening]:
    """The listeners in a table of `/proc/<pid>/net`; lines of another shape are passed over."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTEN:
            continue
        address, _, port = fields[1].partition(":")
        with suppress(ValueError):
            yield Listening(port=int(port, 16), address=_address(address), inode=int(fields[9]))


def _listening_in(pid: int) -> Iterator[Listening]:
    network = _PROC / str(pid) / "net"
    yield from listening((network / "tcp").read_text())
    # Not there on a machine without IPv6.
    with suppress(FileNotFoundError):
        yield from listening((network / "tcp6").read_text())


def _pids_in(network: Path) -> Iterator[int]:
    """Who began first comes first, as long as numbers have not come round."""
    for pid in sorted(int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()):
        with suppress(OSError):
            if (_PROC / str(pid) / "ns/net").readlink() == network:
                yield pid


def _holders(pids: Iterable[int]) -> Mapping[int, str]:
    """The name of the process that holds each socket, by its inode."""
    found: dict[int, str] = {}
    for name, file in islice(_open_files(pids), _MAX_FILES):
        with suppress(OSError, ValueError):
            kind, _, inode = str(file.readlink()).partition(":")
            if kind == "socket":
                found.setdefault(int(inode.strip("[]")), name)
    return found


def _open_files(pids: Iterable[int]) -> Iterator[tuple[str, Path]]:
    """Each with its process's name, of the processes that may be looked at."""
    for pid in pids:
        process = _PROC / str(pid)
        with suppress(OSError):
            name = (process / "comm").read_text(errors="replace").rstrip("\n")
            for file in (process / "fd").iterdir():
                yield name, file


def _address(text: str) -> str:
    """The kernel writes words of four bytes in the machine's order, which is little-endian wherever workers run."""
    raw = bytes.fromhex(text)
    address = ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"
