"""Points at which a process can be told to die, for fault tests: `SPUNTO_CRASH=after_send:3` dies at the third."""

import os
from collections import Counter

_passed: Counter[str] = Counter()
_KILLED = 137


def crash_point(name: str) -> None:
    """Die here, as by SIGKILL, if the environment says so; free otherwise."""
    armed = os.environ.get("SPUNTO_CRASH")
    if armed is None:
        return
    point, _, count = armed.partition(":")
    if point == name:
        _passed[name] += 1
        if _passed[name] >= int(count or "1"):
            os._exit(_KILLED)
