"""What a route says of itself beside its code: the OpenAPI document is made from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from spunto.entrypoints.http.requests import In, Query

V = TypeVar("V", bound=Callable[..., Any])
_MARK: Final = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`answers` are by status: a TypedDict, a media type, several of them, or None for no content. `errors` are the
    problem codes of this operation's own; those that its action, body, query or ids bring with them go without saying.
    `unavailable` are those of them that are 503 here and something else elsewhere.
    `bounds` are of parts of the body, told by name where the whole is too large.
    `body` is Nothing where an empty object may come, `form` what a page of ours sends in its place. `operation_id` is
    for what its method and path name badly. What is `tagged` answers an ETag, and honours it: If-None-Match where it is
    read, If-Match where it is changed or removed. `as_oauth`
    refuses with OAuth's fields beside a problem's. `streams_body` are the media types of a body of any length, which is
    taken as fast as its view reads it. `examples` are a body under "body" and answers under their status.
    """

    summary: str
    description: str
    answers: Mapping[int, Any]
    body: type[In] | None = None
    query: type[Query] | None = None
    errors: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    idempotent: bool = False
    tagged: bool = False
    bounds: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    operation_id: str | None = None
    form: type[Query] | None = None
    as_oauth: bool = False
    streams_body: tuple[str, ...] = ()


def operation(
    summary: str,
    *,
    answers: Mapping[int, Any],
    description: str = "",
    body: type[In] | None = None,
    query: type[Query] | None = None,
    errors: tuple[str, ...] = (),
    unavailable: tuple[str, ...] = (),
    idempotent: bool = False,
    tagged: bool = False,
    bounds: Mapping[str, int] | None = None,
    examples: Mapping[str, Any] | None = None,
    operation_id: str | None = None,
    form: type[Query] | None = None,
    as_oauth: bool = False,
    streams_body: tuple[str, ...] = (),
) -> Callable[[V], V]:
    """Describe the route below; goes under its `@routes.…` line."""
    said = Operation(
        summary=summary,
        description=description,
        answers=answers,
        body=body,
        query=query,
        errors=errors,
        unavailable=unavailable,
        idempotent=idempotent,
        tagged=tagged,
        bounds=bounds or {},
        examples=examples or {},
        operation_id=operation_id,
        form=form,
        as_oauth=as_oauth,
        streams_body=streams_body,
    )

    def mark(view: V) -> V:
        setattr(view, _MARK, said)
        return view

    return mark


def operation_of(view: Callable[..., Any]) -> Operation | None:
    found: Operation | None = getattr(view, _MARK, None)
    return found
