"""A worker's log as it comes over HTTP."""

from datetime import datetime

from spunto.client.wire import WireModel


class LogLine(WireModel):
    at: datetime | None = None
    stream: str = "stdout"
    line: str


def lines_of(text: str) -> list[LogLine]:
    """The lines of an `application/x-ndjson` body."""
    return [LogLine.model_validate_json(line) for line in text.splitlines() if line.strip()]


def rfc3339(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
