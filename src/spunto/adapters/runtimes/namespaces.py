"""Sockets that are made in a process's network namespace and used from here. No command ever runs there."""

import asyncio
import ctypes
import os
import select
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

_ASK_SECONDS = 1.0
_CLONE_NEWNET = 0x40000000
_CREDENTIALS = struct.Struct("3i")
_OWN = Path("/proc/self/ns/net")


class NamespaceClosed(Exception):
    """This process may not go there, or it isn't another process's namespace that it sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A process's network: `life` is the process, so that another one under its number is never taken for it."""

    life: int
    net: int

    @property
    def is_alive(self) -> bool:
        watched = select.poll()
        watched.register(self.life, select.POLLIN)
        return not watched.poll(0)

    def close(self) -> None:
        os.close(self.life)
        os.close(self.net)


def open_namespace(pid: int, container_id: str) -> Namespace:
    """The network of the container's process. Raises NamespaceClosed for any other process, or where none is seen.

    An engine on another machine, or outside the agent's own container, counts other processes than are seen here.
    """
    try:
        life = os.pidfd_open(pid)
    except OSError as error:
        raise NamespaceClosed(str(error)) from error
    try:
        if not is_of(Path("/proc") / str(pid), container_id):
            raise NamespaceClosed("another process has that number here")
        net = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        os.close(life)
        raise NamespaceClosed(str(error)) from error
    except BaseException:
        os.close(life)
        raise
    opened = Namespace(life=life, net=net)
    # As long as the process lives its number is nobody else's, so that all that was read is its own.
    if not opened.is_alive:
        opened.close()
        raise NamespaceClosed("the process has ended")
    return opened


def is_of(process: Path, container_id: str) -> bool:
    """Whether it is one of the container's, by its directory in /proc. Raises OSError.

    Engines name a container's control group, and the files that they mount into it, by its id.
    """
    return any(container_id in (process / told).read_text() for told in ("cgroup", "mountinfo"))


def sees_processes_of(socket_path: str) -> bool:
    """Whether who serves the socket, and thus what it starts, has a number here, and lets itself be looked into.

    Root in a container is let into no process that may do more than it, or is another user's. Raises OSError.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_ASK_SECONDS)
        asking.connect(socket_path)
        pid, _, _ = _CREDENTIALS.unpack(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    if not pid:
        return False
    with Path(f"/proc/{pid}/ns/net").open("rb"):
        return True


class Doorway:
    """One thread of its own goes into namespaces and comes back, so that no other ever finds itself in one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="namespaces")

    async def socket_in(self, namespace: Namespace, family: int) -> socket.socket:
        """A stream socket of that family that lives there. Raises NamespaceClosed, and OSError for a family unknown."""
        # Of its own, because a number that is closed meanwhile may by then be another container's.
        net = FileIO(os.dup(namespace.net))
        return await asyncio.get_running_loop().run_in_executor(self._thread, _made_in, net, family)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _made_in(net: FileIO, family: int) -> socket.socket:
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(net.fileno())
        try:
            return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        finally:
            _enter(own)
    finally:
        os.close(own)
        net.close()


def may_enter_namespaces() -> bool:
    """Whether this process has the right to; it tries with its own."""
    own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(own)
    except NamespaceClosed:
        return False
    finally:
        os.close(own)
    return True


def _enter(net: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(net, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise NamespaceClosed(os.strerror(error))
