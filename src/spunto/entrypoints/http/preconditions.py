"""Entity tags (RFC 9110): what an asker has already, and what it wants to change only as it saw it.

A tag is a digest of all that is shown, so that it changes with every bit of that.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from quart import Response, request
from werkzeug.http import parse_etags

from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.preconditions import Precondition
from spunto.entrypoints.http.responses import json_response


def tag_of(shown: Any) -> str:
    """The strong tag of what is shown, without its quotes; the order of names in it says nothing."""
    options = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_SORT_KEYS
    return tag_of_bytes(orjson.dumps(shown, option=options))


def tag_of_bytes(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def tagged(body: Any, tag: str | None = None) -> Response:
    """The body with its tag, or 304 where the asker has it. `tag` is given where it is not made of the body alone."""
    return unchanged_or(json_response(body), tag or tag_of(body))


def unchanged_or(answer: Response, tag: str) -> Response:
    if request.method in ("GET", "HEAD") and asked_tags("If-None-Match").contains_weak(tag):
        answer = Response(b"", 304)
        answer.headers.remove("Content-Type")
    answer.set_etag(tag)
    return answer


def precondition(shown: Callable[[Any], Any]) -> Precondition | None:
    """What If-Match asks for; `shown` is what the tag of a use case's view is made of. Raises Malformed."""
    if "If-Match" not in request.headers:
        return None
    asked = asked_tags("If-Match")
    if not asked:
        raise Malformed("invalid_if_match", 'If-Match is `*`, or one or more ETags as they were answered: `"…"`.')
    # A weak tag is not in it: it would not say that all is as it was.
    return Precondition(holds=lambda view: tag_of(shown(view)) in asked)


def asked_tags(header: str) -> Any:
    """The tags of a header, also of one that came in several lines."""
    return parse_etags(", ".join(request.headers.getlist(header)))
