"""What somebody may change of a worker."""

from collections.abc import Mapping
from typing import Any, TypedDict

from spunto.core.kernel.marks import require_marks
from spunto.core.kernel.names import require_name
from spunto.core.projects.idle_timeout import require_idle_timeout


class Changes(TypedDict, total=False):
    """`idle_timeout_seconds` is None for a worker that is never stopped by itself."""

    name: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    idle_timeout_seconds: int | None


def require_changes(changes: Changes) -> None:
    """Raises Invalid `name_invalid`, `tags_invalid`, `metadata_invalid`, `idle_timeout_invalid`."""
    if "name" in changes:
        require_name(changes["name"])
    require_marks(changes.get("tags"), changes.get("metadata"))
    require_idle_timeout(changes.get("idle_timeout_seconds"))
