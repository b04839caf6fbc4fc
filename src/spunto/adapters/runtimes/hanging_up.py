"""How a terminal's process is found again and hung up: engines leave it behind when its connection goes."""

from typing import Final

MARK: Final = "SPUNTO_TERMINAL"
"""A variable that the process carries."""

# The pid that engines tell is the host's, which may not be this machine. So the process carries a mark, and a second
# command finds it: started from outside (no parent) and carrying that very mark. Its children carry the mark too, but
# have a parent: the kernel hangs them up, or they meant to live on (nohup, tmux).
_SCRIPT = """
for process in /proc/[0-9]*; do
  read -r stat < "$process/stat" || continue
  set -- "$1" ${stat##*) }
  [ "$3" = 0 ] && tr '\\0' '\\n' < "$process/environ" | grep -qxF "$1" && kill -HUP "${process#/proc/}"
done 2>/dev/null
"""


def command(mark: str) -> list[str]:
    """For the container, as the user that the terminal ran as."""
    return ["sh", "-c", _SCRIPT, "sh", f"{MARK}={mark}"]
