"""The body of every refusal (RFC 9457), whichever door it comes from."""

from collections.abc import Mapping
from typing import Any


def problem_body(
    status: int, code: str, detail: str, *, request_id: str, fields: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        **(fields or {}),
        "type": f"urn:spunto:error:{code}",
        "code": code,
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": f"urn:spunto:request:{request_id}",
        "requestId": request_id,
    }
