"""Sockets that are made in a process's network namespace and used from here. No command ever runs there."""

import asyncio
import ctypes
import os
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
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


def open_namespace(pid: int) -> Namespace:
    """The network of the process. Raises NamespaceClosed, and ProcessLookupError for a process that is not there.

    An agent in a container sees other processes under the engine's numbers, or its own: its own network is refused.
    """
    life = os.pidfd_open(pid)
    try:
        net = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(net).st_ino == _OWN.stat().st_ino:
                raise NamespaceClosed("the process is in this network itself")
        except BaseException:
            os.close(net)
            raise
    except PermissionError as error:
        os.close(life)
        raise NamespaceClosed(str(error)) from error
    except BaseException:
        os.close(life)
        raise
    return Namespace(life=life, net=net)


class Doorway:
    """One thread of its own goes into namespaces and comes back, so that no other ever finds itself in one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="namespaces")

    async def socket_in(self, namespace: Namespace, family: int) -> socket.socket:
        """A stream socket of that family that lives there. Raises NamespaceClosed, and OSError for a family unknown."""
        # Of its own, because a number that is closed meanwhile may by then be another container's.
        net = os.dup(namespace.net)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _made_in, net, family)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _made_in(net: int, family: int) -> socket.socket:
    """Closes `net`."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(net)
        try:
            return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        finally:
            _enter(own)
    finally:
        os.close(own)
        os.close(net)


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
