"""After how long without use workers are stopped, as far as anybody may say."""

from typing import Final

from spunto.core.kernel.errors import Invalid

# Uses are told within half a minute, so that nobody is stopped at work.
MIN_TIMEOUT_SECONDS: Final = 60
MAX_TIMEOUT_SECONDS: Final = 30 * 24 * 3600


def require_idle_timeout(seconds: int | None) -> None:
    """Raises Invalid `idle_timeout_invalid`."""
    if seconds is not None and not MIN_TIMEOUT_SECONDS <= seconds <= MAX_TIMEOUT_SECONDS:
        told = f"An idle timeout has {MIN_TIMEOUT_SECONDS} to {MAX_TIMEOUT_SECONDS} seconds, or is null for never."
        raise Invalid("idle_timeout_invalid", told)
