"""Makes this process one that may no more, in no more of the file system, than the container's own user.

All that has to be imported is by then: afterwards the files that Python would read are the container's.
"""

import os
import resource
import sys

from spunto.adapters.runtimes.files_inside import system_calls

_CGROUPS = "/sys/fs/cgroup"
# A file in a tmpfs counts as memory of whoever wrote it: it must be the container's.
_COUNTED = ("memory", "blkio", "io")


def enter(process: int) -> tuple[int, int]:
    """Go where the process is to whom that directory of /proc belongs, as who it is.

    Gives descriptors of its root and of what this process has open. Raises OSError.
    """
    own_open = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    root = os.open("root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=process)
    _join_control_groups(_read(process, "cgroup"))
    _take_limits(_read(process, "limits"))
    if os.stat("ns/user", dir_fd=process).st_ino != os.stat("/proc/self/ns/user").st_ino:
        namespace = os.open("ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
        system_calls.join_user_namespace(namespace)
        os.close(namespace)
    # Who opens this file reads the numbers of its own user namespace, so only now.
    status = dict(line.partition(":")[::2] for line in _read(process, "status").splitlines())
    os.fchdir(root)
    os.chroot(".")
    _import_no_more()
    _become(status)
    os.close(process)
    return root, own_open


def _become(status: dict[str, str]) -> None:
    uid, gid = (int(status[name].split()[0]) for name in ("Uid", "Gid"))
    bounds = int(status["CapBnd"], 16)
    system_calls.bound_capabilities(bounds)
    os.setgroups([int(group) for group in status["Groups"].split()])
    os.setresgid(gid, gid, gid)
    held = system_calls.permitted_capabilities() & bounds
    os.setresuid(uid, uid, uid)
    # Commands that run as the container's root hold what the container may; those of others hold nothing.
    system_calls.set_capabilities(held if uid == 0 else 0)
    os.umask(int(status.get("Umask", "0022"), 8))
    system_calls.shut_in()


def _take_limits(limits: str) -> None:
    for line in limits.splitlines():
        if line.startswith("Max file size"):
            soft, hard = (_limit(word) for word in line.split()[3:5])
            own_hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            if own_hard == resource.RLIM_INFINITY:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _limit(word: str) -> int:
    return resource.RLIM_INFINITY if word == "unlimited" else int(word)


def _join_control_groups(groups: str) -> None:
    """Best effort: an agent that is not root was given no control group to move its processes into."""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers and not any(name in _COUNTED for name in names):
            continue
        place = f"{_CGROUPS}/{controllers}{path}" if controllers else f"{_CGROUPS}{path}"
        try:
            with open(f"{place}/cgroup.procs", "w") as members:
                members.write("0")
        except OSError:
            continue


def _import_no_more() -> None:
    sys.path.clear()
    sys.meta_path.clear()


def _read(process: int, name: str) -> str:
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    with open(file, encoding="utf-8", errors="replace") as opened:
        return opened.read()
