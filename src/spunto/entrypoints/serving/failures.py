"""How a program that can't go on says why: in one line, with an exit code that says whether a repeat may help."""

import sys
import tomllib
from collections.abc import Callable

from pydantic import ValidationError

from spunto.core.kernel.errors import Invalid, SpuntoError, Unavailable

EXIT_FAILED = 1
EXIT_CONFIG = 78
"""What starting again can't mend (sysexits.h)."""
_FOR_GOOD = frozenset({"database_damaged"})


def ended(work: Callable[[], object]) -> int:
    """Do the work; the exit code. What is nobody's fault but ours is raised on, with its trace."""
    try:
        errand(work)
    except SpuntoError as failure:
        is_for_good = isinstance(failure, Invalid) or failure.code in _FOR_GOOD
        return told(failure.message, EXIT_CONFIG if is_for_good else EXIT_FAILED)
    except OSError as failure:
        if failure.filename is None:
            raise
        return told(f"can't use {failure.filename}: {failure.strerror}", EXIT_FAILED)
    return 0


def errand(work: Callable[[], object]) -> None:
    """Do the work for whoever tells of failures. Raises SpuntoError, with what a database itself said where that helps,
    and OSError; what is our own fault as it is."""
    try:
        work()
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise Invalid("invalid_settings", f"settings: {'; '.join(faults)}") from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid("invalid_settings", f"settings: the file is not TOML: {error}") from error
    except (SpuntoError, OSError, BaseExceptionGroup) as raised:
        failure = _first(raised)
        if not isinstance(failure, SpuntoError | OSError):
            raise
        if isinstance(failure, Invalid | Unavailable) and failure.__cause__ is not None:
            # SQLAlchemy adds the statement and an address on the web to what the driver said.
            failure.message += f" ({getattr(failure.__cause__, 'orig', failure.__cause__)})"
        raise failure from None


def told(sentence: str, exit_code: int) -> int:
    print(f"spunto: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201
    return exit_code


def _first(error: BaseException) -> BaseException:
    """Task groups wrap what went wrong in them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
