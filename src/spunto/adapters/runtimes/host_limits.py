"""The most that this host lets a container's processes have; an engine without CAP_SYS_RESOURCE can't give more."""

import resource

MAX_OPEN_FILES = 1_048_576
MAX_PROCESSES = 32_768


def open_files() -> int:
    return _at_most(MAX_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def processes() -> int:
    return _at_most(MAX_PROCESSES, resource.getrlimit(resource.RLIMIT_NPROC)[1])


def _at_most(wanted: int, hard: int) -> int:
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
