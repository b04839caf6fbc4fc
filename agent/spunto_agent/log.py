"""The agent's log: one line an event on standard error, JSON or for people.

Written out here instead of with structlog, whose import alone takes a fifth of the memory that an agent may have.
"""

import sys
from datetime import UTC, datetime

import orjson

from spunto.core.kernel.log import Log


def new_log(log_format: str) -> Log:
    """`auto` is for people on a terminal and JSON elsewhere."""
    for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    return _to_console if for_people else _to_json


def _to_json(event: str, /, **fields: object) -> None:
    line = {"timestamp": datetime.now(UTC), "event": event, **fields}
    sys.stderr.write(orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode() + "\n")


def _to_console(event: str, /, **fields: object) -> None:
    shown = " ".join(f"{name}={value!r}" for name, value in fields.items() if value is not None)
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {event:20} {shown}\n")
