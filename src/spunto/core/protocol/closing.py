"""The close codes of a session's socket and what the agent does on each."""

from typing import Final

NORMAL: Final = 1000
RESTARTING: Final = 1012
"""The server restarts: come back at once, with jitter."""
BUSY: Final = 1013
"""Too much to do or too slow a reader: come back later, or after `retry_after_seconds`."""
BAD_PROTOCOL: Final = 4400
UNAUTHENTICATED: Final = 4401
"""Stop and wait for the operator."""
FORBIDDEN: Final = 4403
"""Stop and wait for the operator."""
SILENT: Final = 4408
"""Nothing was heard in time."""
SUPERSEDED: Final = 4409
"""Another agent with this credential connected later: stay away for at least a minute."""
FLOODING: Final = 4429
"""More frames than allowed."""
