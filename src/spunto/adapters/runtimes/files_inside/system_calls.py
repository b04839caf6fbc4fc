"""System calls that Python 3.11 has no name for. Each raises OSError."""

import ctypes
import os

_OPENAT2 = 437
_CLONE_NEWUSER = 0x10000000
_CAPABILITIES_V3 = 0x20080522
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
# /proc's links to what a process has open lead out of any root; these are never followed.
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def open_in_root(root: int, path: bytes, flags: int) -> int:
    """A descriptor of what `path` names where `root` is `/`: no link and no `..` on the way leads out of it."""
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=0, resolve=_RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    return int(
        _checked(_libc.syscall(_OPENAT2, root, ctypes.c_char_p(path), ctypes.byref(how), ctypes.c_size_t(24)), path)
    )


def join_user_namespace(namespace: int) -> None:
    """Only a process of one thread may, and it has every capability there afterwards."""
    _checked(_libc.setns(namespace, _CLONE_NEWUSER))


def bound_capabilities(kept: int) -> None:
    """Take from what this process may ever have each capability that is not in the set of bits."""
    number = 0
    while (held := _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)) >= 0:
        if held and not kept >> number & 1:
            _checked(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0))
        number += 1


def set_capabilities(held: int) -> None:
    """Have these capabilities, all of which it has now, and no other."""
    low, high = held & 0xFFFFFFFF, held >> 32
    data = (_CapabilityData * 2)(_CapabilityData(low, low, 0), _CapabilityData(high, high, 0))
    _checked(_libc.capset(ctypes.byref(_CapabilityHeader(_CAPABILITIES_V3, 0)), data))


def permitted_capabilities() -> int:
    data = (_CapabilityData * 2)()
    _checked(_libc.capget(ctypes.byref(_CapabilityHeader(_CAPABILITIES_V3, 0)), data))
    return int(data[0].permitted | data[1].permitted << 32)


def shut_in() -> None:
    """Gain no right by running a program, be looked into by nobody, and end with who started this."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))


def _checked(result: int, path: bytes | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
