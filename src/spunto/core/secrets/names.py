"""Which names a secret may have: those of variables that change no program's behaviour behind its user's back."""

import re
from collections.abc import Iterable
from typing import Final

from spunto.core.kernel.errors import Invalid

MAX_NAME_CHARACTERS: Final = 64
PATTERN: Final = r"^[A-Z_][A-Z0-9_]*$"

_SHAPE: Final = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
# What a shell, a loader or a language runtime obeys, and what Spunto itself sets.
_RESERVED: Final = re.compile(
    r"(PATH|HOME|SHELL|USER|IFS|ENV|BASH_ENV|SHELLOPTS|PS4|PROMPT_COMMAND|NODE_OPTIONS|RUBYOPT"
    r"|WORKER_SLUG|BASE_DOMAIN|PUBLIC_PROTOCOL|LD_.*|DYLD_.*|PYTHON.*|PERL5.*|GIT_.*|SSH_.*|DOCKER_.*|SPUNTO_.*|.*_PROXY)\Z"
)


# What only Spunto says, whoever else chooses the worker's variables.
_PLATFORM: Final = re.compile(r"(SPUNTO_.*|WORKER_SLUG|BASE_DOMAIN|PUBLIC_PROTOCOL)\Z")


def require_variables(names: Iterable[str]) -> None:
    """Raises Invalid `env_name_reserved`: these names tell a worker where it is."""
    taken = sorted(name for name in names if _PLATFORM.match(name))
    if taken:
        raise Invalid("env_name_reserved", f"{', '.join(taken)} is set by Spunto; take another name.")


def require_name(name: str) -> None:
    """Raises Invalid `secret_name_invalid`, `secret_name_reserved`."""
    if len(name) > MAX_NAME_CHARACTERS or not _SHAPE.match(name):
        raise Invalid(
            "secret_name_invalid",
            f"A secret's name is made of A to Z, 0 to 9 and _, begins with no digit and has at most "
            f"{MAX_NAME_CHARACTERS} characters.",
        )
    if _RESERVED.match(name):
        raise Invalid("secret_name_reserved", f"{name} would change how programs run in a worker; take another name.")
