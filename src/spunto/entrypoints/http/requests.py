"""What comes in: JSON bodies and query parameters, checked strictly and refused with the place of the mistake."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError
from quart import request
from werkzeug.exceptions import UnsupportedMediaType

from spunto.core.access.model import Actor
from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.kernel.marks import MAX_METADATA_NAMES, MAX_TAGS, TAG, metadata_problem
from spunto.core.kernel.names import MAX_CHARACTERS, name_problem
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.responses import Reply

MAX_DEPTH: Final = 32
MAX_FAULTS: Final = 100
JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
_WRITTEN: Final[Mapping[Any, tuple[re.Pattern[str], str]]] = {
    bool: (re.compile(r"true|false"), "Must be true or false"),
    int: (re.compile(r"-?[0-9]{1,19}", re.ASCII), "Must be a whole number"),
    AwareDatetime: (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*", re.ASCII), "Must be a time as RFC 3339 has it"),
}
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}\Z")


def _named(name: str) -> str:
    problem = name_problem(name)
    if problem is not None:
        # Not a ValueError: pydantic would put words of its own before ours.
        raise PydanticCustomError("name", "The name {problem}", {"problem": problem})
    return name


Name = Annotated[
    str,
    AfterValidator(_named),
    # For readers of the document alone: whoever breaks the rule is told why, and no pattern.
    Field(
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_CHARACTERS,
            "pattern": r"^[^\s\x00-\x1f\x7f/]([^\x00-\x1f\x7f/]*[^\s\x00-\x1f\x7f/])?$",
        }
    ),
]
"""One line of text that can be seen whole; see `core.kernel.names`."""


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    problem = metadata_problem(metadata)
    if problem is not None:
        raise PydanticCustomError("metadata", "The metadata {problem}", {"problem": problem})
    return metadata


Tag = Annotated[str, StringConstraints(pattern=f"^{TAG}$")]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(lambda tags: list(dict.fromkeys(tags)))]
"""Each once, in the order in which they were given."""
Metadata = Annotated[dict[str, Any], Field(max_length=MAX_METADATA_NAMES), AfterValidator(_bounded)]
"""What programs keep with a thing for themselves."""


WaitSeconds = Annotated[int, Field(ge=0, le=60)]


class In(BaseModel):
    """A request's body: camelCase outside, nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, allow_inf_nan=False)


class Query(BaseModel):
    """A request's query: camelCase outside, nothing unknown, converted from text that is as JSON would write it."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic alone would take `on` for true, `1_0` for ten and any number for a time."""
        for kind in _kinds(cls, info.field_name or ""):
            shape, told = _WRITTEN[kind]
            if isinstance(value, str) and not shape.fullmatch(value):
                raise ValueError(told)
        return value


@cache
def _kinds(model: type[Query], name: str) -> tuple[Any, ...]:
    """The types of a field that are written in a way of their own."""
    found, waiting = [], [model.model_fields[name].annotation]
    while waiting:
        annotation = waiting.pop()
        if get_origin(annotation) is Annotated:
            waiting.append(get_args(annotation)[0])
        elif get_origin(annotation) in (Union, UnionType):
            waiting += get_args(annotation)
        elif annotation in _WRITTEN:
            found.append(annotation)
    return tuple(found)


class Nothing(In):
    """The body of a request that says all in its address."""


InT = TypeVar("InT", bound=In)
QueryT = TypeVar("QueryT", bound=Query)


async def read(model: type[InT]) -> InT:
    """The body as the model. Raises Malformed, Invalid, and the framework's 413, 415 and 408."""
    body = await _json()
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise invalid_fields(_places(error, body)) from error


async def read_nothing() -> None:
    """Refuse a body that says something where nothing is to be said."""
    await read(Nothing)


def query(model: type[QueryT]) -> QueryT:
    """The query as the model. Raises Malformed `invalid_query`."""
    given = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise _invalid_query([{"pointer": f"/{name}", "message": "May come only once"}])
        if "\x00" in values[0]:
            raise _invalid_query([{"pointer": f"/{name}", "message": "Must not contain the character NUL"}])
        given[name] = values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _invalid_query(_places(error, given)) from error


async def idempotency_key(actor: Actor, reply: Callable[[Any], Reply] | None = None) -> IdempotencyKey | None:
    """The actor's own Idempotency-Key, with a digest of what is asked; `reply` is how the use case's result is told,
    and is kept to be told again. Raises Malformed for an odd one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.match(key):
        raise Malformed("invalid_idempotency_key", "Idempotency-Key is 1 to 255 printable ASCII characters, no blanks.")
    canonical = orjson.dumps(await _json(), option=orjson.OPT_SORT_KEYS)
    asked = b"\n".join((request.method.encode(), request.path.encode(), canonical))
    # Two people may choose the same key, and neither is to get what the other one made.
    own_key = hashlib.sha256(f"{actor.subject_id} {key}".encode()).hexdigest()
    return IdempotencyKey(
        key=own_key,
        fingerprint=hashlib.sha256(asked).digest(),
        answer_of=None if reply is None else lambda result: reply(result).to_bytes(),
    )


async def _json() -> Any:
    raw = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    if not raw:
        return {}
    _require_json_type()
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed("invalid_json", f"The body is not JSON: {error.msg.partition(':')[0]} ({where}).") from error
    # Only text that could break a rule is walked through.
    if b"\\u0000" in raw or raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _require_sane(body)
    return body


def _require_json_type() -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if (
        request.mimetype not in JSON_TYPES
        or charset not in ("utf-8", "utf8")
        or request.headers.get("Content-Encoding")
    ):
        raise UnsupportedMediaType


def _require_sane(body: Any) -> None:
    """Raises Malformed for more than 32 levels, or a NUL, which no database column could keep."""
    level = [body]
    for _ in range(MAX_DEPTH):
        texts = [value for value in level if isinstance(value, str)]
        texts += [key for value in level if isinstance(value, dict) for key in value]
        if any("\x00" in text for text in texts):
            raise Malformed("nul_character", "Texts must not contain the character NUL.")
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise Malformed("json_too_deep", f"The body is nested deeper than {MAX_DEPTH} levels.")


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _invalid_query(errors: Sequence[Mapping[str, str]]) -> Malformed:
    return Malformed("invalid_query", "Some query parameters are not what they should be; see `errors`.", errors=errors)


def _places(error: ValidationError, body: Any) -> list[dict[str, str]]:
    count = error.error_count()
    if count > MAX_FAULTS:
        # Pydantic names all or none, and a body of faults alone would keep everybody waiting meanwhile.
        return [{"pointer": "", "message": f"{count} fields are not what they should be, too many to name each."}]
    found = error.errors(include_url=False, include_input=False)
    return [{"pointer": pointer(each["loc"], body), "message": _sentence(each)} for each in found]


def _sentence(fault: ErrorDetails) -> str:
    """pydantic's own words, but where these would show people a regular expression or how its validators work."""
    if fault["type"] == "string_pattern_mismatch":
        name = next((part for part in reversed(fault["loc"]) if isinstance(part, str)), "value")
        return f"This is not a valid {'name' if name == '[key]' else name}."
    if fault["type"] in ("string_too_short", "too_short") and fault.get("ctx", {}).get("min_length") == 1:
        return "This must not be empty."
    return fault["msg"].removeprefix("Value error, ")


def pointer(loc: Sequence[str | int], body: Any) -> str:
    """The JSON pointer (RFC 6901) of a pydantic location, without the marks that pydantic adds for unions and keys."""
    parts = []
    place = body
    for part in loc:
        if isinstance(part, str) and not isinstance(place, dict):
            continue
        if part == "[key]":
            continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
        try:
            place = place[part]
        except (KeyError, IndexError, TypeError):
            place = None
    return "".join(f"/{part}" for part in parts)
