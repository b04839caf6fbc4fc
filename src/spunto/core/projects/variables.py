"""What may be asked for as a worker's variables, by its project or beside it."""

from collections.abc import Mapping
from typing import Final

from spunto.core.kernel.errors import Invalid
from spunto.core.secrets.names import require_variables

# It must fit a frame to the node with all the rest of a worker's spec, whatever JSON's escapes make of it.
MAX_ENV_BYTES: Final = 64 * 1024


def require_env(env: Mapping[str, str]) -> None:
    """Raises Invalid `env_too_large`, `env_name_reserved`."""
    require_variables(env)
    if sum(len(name.encode()) + len(value.encode()) for name, value in env.items()) > MAX_ENV_BYTES:
        raise Invalid("env_too_large", f"Names and values of env may have {MAX_ENV_BYTES} bytes together.")
