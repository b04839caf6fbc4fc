"""`spunto serve`: the server process by itself, and with `--box` as `spunto up` runs it."""

import argparse
import sys
from typing import Final

UNUSED: Final = ("rich", "yaml")
"""What structlog and dependency-injector load for themselves where it is installed: megabytes, for nothing of ours."""


def run(*, box: bool = False, demo: bool = False, await_node: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. The process is for nothing else."""
    for module in UNUSED:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # this is how an import is refused
    from spunto.entrypoints import running

    return running.run(box=box, demo=demo, await_node=await_node)


def main() -> int:
    parser = argparse.ArgumentParser(prog="spunto serve")
    parser.add_argument("--box", action="store_true", help="make sure of the owner and of the node `local`")
    parser.add_argument("--demo", action="store_true", help="make sure of a first project and worker")
    parser.add_argument("--await-node", action="store_true", help="be ready only once the node `local` is there")
    arguments = parser.parse_args()
    return run(box=arguments.box, demo=arguments.demo, await_node=arguments.await_node)


if __name__ == "__main__":
    sys.exit(main())
