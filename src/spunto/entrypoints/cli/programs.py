"""Programs of this installation beside the command line, which turns into them."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn


def require(*modules: str) -> None:
    """Raises ModuleNotFoundError for the first that is not installed, as importing it would."""
    for module in modules:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def become_agent(arguments: Sequence[str]) -> NoReturn:
    require("aiodocker", "picows", "podman", "uvloop", "websockets")
    become("spunto_agent", arguments)


def become(module: str, arguments: Sequence[str]) -> NoReturn:
    """Turn into another program of this installation."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - this is what it is for
