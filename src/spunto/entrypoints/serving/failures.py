"""How a program that can't go on says why: in one line, with an exit code that says whether a repeat may help."""

import sys
import tomllib
from collections.abc import Callable

from pydantic import ValidationError

from spunto.core.kernel.errors import Invalid, SpuntoError

EXIT_FAILED = 1
EXIT_CONFIG = 78
"""What starting again can't mend (sysexits.h)."""
_FOR_GOOD = frozenset({"database_damaged"})


def ended(work: Callable[[], object]) -> int:
    """Do the work; the exit code. What is nobody's fault but ours is raised on, with its trace."""
    try:
        work()
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        return told(f"settings: {'; '.join(faults)}", EXIT_CONFIG)
    except tomllib.TOMLDecodeError as error:
        return told(f"settings: the file is not TOML: {error}", EXIT_CONFIG)
    except (SpuntoError, OSError, BaseExceptionGroup) as raised:
        failure = _first(raised)
        if isinstance(failure, OSError) and failure.filename is not None:
            return told(f"can't use {failure.filename}: {failure.strerror}", EXIT_FAILED)
        if not isinstance(failure, SpuntoError):
            raise
        # SQLAlchemy adds the statement and an address on the web to what the driver said.
        cause = getattr(failure.__cause__, "orig", failure.__cause__)
        cause = "" if cause is None else f" ({cause})"
        is_for_good = isinstance(failure, Invalid) or failure.code in _FOR_GOOD
        return told(f"{failure.message}{cause}", EXIT_CONFIG if is_for_good else EXIT_FAILED)
    return 0


def told(sentence: str, exit_code: int) -> int:
    print(f"spunto: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201
    return exit_code


def _first(error: BaseException) -> BaseException:
    """Task groups wrap what went wrong in them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
