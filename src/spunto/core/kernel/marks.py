"""What people and programs mark things with: tags to find them by, and metadata for themselves."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from spunto.core.kernel.errors import Invalid

TAG: Final = r"[A-Za-z0-9][A-Za-z0-9._:/=@-]{0,63}"
MAX_TAGS: Final = 32
MAX_METADATA_NAMES: Final = 64
MAX_METADATA_BYTES: Final = 16 * 1024
_TAG: Final = re.compile(TAG)


def metadata_problem(metadata: Mapping[str, Any]) -> str | None:
    """Why it can't be kept, in words that complete "The metadata …"; None for good ones."""
    if len(metadata) > MAX_METADATA_NAMES or not all(isinstance(name, str) for name in metadata):
        return f"has at most {MAX_METADATA_NAMES} names, all of them text"
    try:
        written = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        return "must be JSON"
    if len(written) > MAX_METADATA_BYTES:
        return f"has at most {MAX_METADATA_BYTES} bytes as JSON"
    return None


def require_tags(tags: Iterable[str]) -> None:
    """Raises Invalid `tags_invalid`."""
    given = list(tags)
    if len(given) > MAX_TAGS:
        raise Invalid("tags_invalid", f"A thing has at most {MAX_TAGS} tags.")
    for tag in given:
        if not _TAG.fullmatch(tag):
            raise Invalid(
                "tags_invalid",
                "A tag has 1 to 64 letters, digits and . _ : / = @ -, and begins with a letter or digit.",
            )


def require_metadata(metadata: Mapping[str, Any]) -> None:
    """Raises Invalid `metadata_invalid`."""
    problem = metadata_problem(metadata)
    if problem is not None:
        raise Invalid("metadata_invalid", f"The metadata {problem}.")


def require_marks(tags: Iterable[str] | None, metadata: Mapping[str, Any] | None) -> None:
    """Of what is given. Raises Invalid `tags_invalid`, `metadata_invalid`."""
    require_tags(tags or ())
    require_metadata(metadata or {})
