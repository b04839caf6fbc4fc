"""Keeps every answer that a client got and every fault that was made, one JSON object a line, as they happen."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Written through at once: what a crash of the controller leaves is complete up to there."""

    def __init__(self, file: Path) -> None:
        self._stream = file.open("a", buffering=1)
        self._begun = time.monotonic()

    def note(self, event: str, **fields: Any) -> None:
        line: Mapping[str, Any] = {"at": round(time.monotonic() - self._begun, 3), "event": event, **fields}
        self._stream.write(json.dumps(line) + "\n")

    def close(self) -> None:
        self._stream.close()
