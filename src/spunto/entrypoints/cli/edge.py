"""`spunto`: where the command line begins and ends. Whatever goes wrong leaves it as one line and an exit code.

It loads nothing that an installation without extras may lack.
"""

import atexit
import errno
import gc
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.cli.programs import become, become_agent

FAILURE: Final = 1
USAGE: Final = 2
BROKEN_PIPE: Final = 141
INTERRUPTED: Final = 130
TRACE: Final = "SPUNTO_TRACE"

_OBJECTS_BEFORE_A_COLLECTION: Final = 100_000

_EXTRAS: Final = {
    "up": "server,agent,cli",
    "serve": "server",
    "db": "server",
    "edge": "server",
    "keys": "server",
    "openapi": "server",
    "agent": "agent",
}
"""What a command needs; the others need `cli`."""


def main() -> None:
    # The end of the process frees it all at once; to look for circles among all modules first takes far longer.
    atexit.register(gc.freeze)
    arguments = sys.argv[1:]
    code = _ended(arguments)
    with suppress(OSError):
        sys.stderr.flush()
    sys.exit(code)


def _ended(arguments: Sequence[str]) -> int:
    _open_missing_streams()
    try:
        code = _called(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        return _told(arguments, *_missing(arguments, error), FAILURE)
    except SpuntoError as error:
        from spunto.entrypoints.cli.exits import exit_code_of

        return _told(arguments, error.code, error.message, exit_code_of(error))
    except UnicodeEncodeError:
        sentence = "An argument, or a SPUNTO_… variable, has bytes that are no UTF-8 text; write it again."
        return _told(arguments, "not_text", sentence, USAGE)
    except OSError as error:
        _forget_output()
        if error.errno == errno.EPIPE:
            # Whoever read it has enough, and knows.
            return BROKEN_PIPE
        return _told(arguments, "system_error", _sentence(error), FAILURE)
    except Exception as error:  # noqa: BLE001 - a bug is told like everything else, and its trace to who asks for it
        if os.environ.get(TRACE):
            sys.excepthook(type(error), error, error.__traceback__)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _told(arguments, "bug", f"This is a bug in Spunto: {what} ({TRACE}=1 shows where.)", FAILURE)
    return code


def _called(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["agent"]:
        become_agent(arguments[1:])
    if arguments[:1] == ["worker-image"]:
        become("spunto_agent.worker_image", arguments[1:])
    if _command(arguments) in _EXTRAS:
        _refuse("httpx._main")
    else:
        # What is loaded stays, and a command that does one request makes little besides.
        gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
        # httpx brings a command line of its own and HTTP/2, which take longer to load than the rest of it.
        _refuse("httpx._main", "h2")
    from spunto.entrypoints.cli.main import main as run

    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else FAILURE
    return 0


def _refuse(*modules: str) -> None:
    for module in modules:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # this is how an import is refused


def _missing(arguments: Sequence[str], error: ModuleNotFoundError) -> tuple[str, str]:
    if (error.name or "").partition(".")[0] in ("spunto", "spunto_agent"):
        return "bug", f"This installation is not whole: {error}."
    command = _command(arguments)
    # Without an errand at the database it is the edge itself.
    extra = "edge" if list(arguments) == ["edge"] else _EXTRAS.get(command, "cli")
    named = f"`spunto {command}`" if command else "The command line"
    return "not_installed", f"{named} needs: pip install 'spunto[{extra}]' ({error})."


def _command(arguments: Sequence[str]) -> str:
    return next((each for each in arguments if not each.startswith("-")), "")


def _sentence(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    return f"{what}." if error.filename is None else f"Can't use {error.filename}: {what}."


def _told(arguments: Sequence[str], code: str, sentence: str, exit_code: int) -> int:
    own = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    title = code.replace("_", " ").capitalize()
    problem = {"type": f"urn:spunto:error:{code}", "code": code, "title": title, "detail": sentence}
    with suppress(OSError):
        print(json.dumps(problem) if "--json" in own else f"error: {sentence}", file=sys.stderr)  # noqa: T201
    return exit_code


def _open_missing_streams() -> None:
    """A stream that the caller closed leaves its number to the next file that is opened, which is then written over."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # What is written to stdout fails, as it should; what is said on stderr goes nowhere.
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _forget_output() -> None:
    """What could not be written would be tried again when the interpreter ends, and spoil its exit code."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with suppress(OSError):
        sys.stdout.flush()
