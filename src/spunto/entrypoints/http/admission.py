"""Who comes through the HTTP door: every route has its entry in the table of endpoints, or nothing is served at all."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic.alias_generators import to_camel
from quart import Quart, Response, g, request
from werkzeug.routing import Rule

from spunto.core.access.model import Actor
from spunto.core.access.policy import Action
from spunto.core.kernel.errors import Invalid, Malformed, NotFound
from spunto.core.kernel.ids import is_id
from spunto.entrypoints.http.operations import Operation, operation_of
from spunto.entrypoints.serving.endpoints import HTTP, WEBSOCKETS, Access, limit_of
from spunto.entrypoints.serving.limits import Gate, Limit

IDS: Final[Mapping[str, tuple[str, str]]] = {
    "org_id": ("org", "organization"),
    "user_id": ("usr", "user"),
    "invitation_id": ("inv", "invitation"),
    "key_id": ("key", "api_key"),
    "project_id": ("prj", "project"),
    "node_id": ("nod", "node"),
    "worker_id": ("wkr", "worker"),
    "link_id": ("lnk", "link"),
    "secret_id": ("sec", "secret"),
    "ssh_key_id": ("ssk", "ssh_key"),
    "org_secret_id": ("sec", "secret"),
    "webhook_id": ("whk", "webhook"),
    "delivery_id": ("whd", "webhook_delivery"),
}
"""Names in routes, the prefix of their ids, and what they are ids of."""

BY_ORGANIZATION: Final = frozenset({Limit.SPAWN, Limit.INVITE})
# Whoever sends one wants nothing done where it does not hold.
_CONDITIONS: Final = ("If-Match", "If-Unmodified-Since")
_ARGUMENT: Final = re.compile(r"<(?:[a-z]+:)?(\w+)>")


def install_admission(app: Quart, gate: Gate) -> None:
    """Call after the last route. Each route but the public ones gets an `actor` who may do its action; malformed ids
    are unknown ones. Raises RuntimeError for a route without an entry, and for an entry without a route."""
    accesses = _accesses(app.url_map.iter_rules())

    @app.before_request
    async def admit() -> None:
        rule, arguments, peer = request.url_rule, request.view_args, request.remote_addr
        if rule is None or arguments is None:
            gate.take(Limit.ADDRESS, request.headers, peer)
            return
        if "worker_id" in arguments:
            # Below its organization a worker needs no project to be named.
            arguments.setdefault("project_id", None)
        access, limit = accesses[rule.rule, "GET" if request.method == "HEAD" else request.method]
        said = operation_of(app.view_functions[rule.endpoint])
        if not isinstance(access, Action):
            if limit is not None:
                gate.take(limit, request.headers, peer)
            _require_known(said)
            return
        g.counted = counted = []
        actor = await gate.admit(request.headers, method=request.method, request_id=g.request_id, peer=peer)
        g.actor, g.action, g.org_id, g.target_id = actor, access, arguments.get("org_id"), _target_of(arguments)
        _require_ids(arguments)
        _require(actor, access, arguments)
        if limit is not None:
            counted.append((limit, _counted_as(limit, actor, arguments)))
            gate.limits.take(*counted[-1])
        _require_known(said)
        _require_honoured(request.method, said)
        g.bounds = {} if said is None else said.bounds
        arguments["actor"] = actor

    @app.after_request
    async def tell_limits(response: Response) -> Response:
        actor: Actor | None = g.get("actor")
        if actor is not None:
            _tell(response, gate, [(Limit.API, actor.credential_id), *g.counted])
        return response


def _counted_as(limit: Limit, actor: Actor, arguments: Mapping[str, Any]) -> str:
    if limit in BY_ORGANIZATION:
        return str(arguments["org_id"])
    return actor.credential_id if limit is Limit.ENTER else actor.subject_id


def _tell(response: Response, gate: Gate, counted: Sequence[tuple[Limit, str]]) -> None:
    """What is left of the scarcest limit, as draft-ietf-httpapi-ratelimit-headers-06 has it."""
    levels = [level for limit, key in counted if (level := gate.limits.level(limit, key)) is not None]
    headers = response.headers
    if levels and not any(name == "RateLimit-Limit" for name, _ in headers):
        scarcest = min(levels, key=lambda level: level.left)
        headers.add("RateLimit-Limit", str(scarcest.burst))
        headers.add("RateLimit-Remaining", str(scarcest.left))
        headers.add("RateLimit-Reset", str(math.ceil(scarcest.full_seconds)))


def _require_known(said: Operation | None) -> None:
    """Raises Malformed for a query where none is taken; what one is made of, its own model says."""
    if said is not None and said.query is None and request.query_string:
        errors = [{"pointer": f"/{name}", "message": "Unknown here"} for name in request.args]
        raise Malformed("invalid_query", "This operation takes no query parameters; see `errors`.", errors=errors)


def _require_honoured(method: str, said: Operation | None) -> None:
    """What is accepted has an effect: raises Invalid for a header that the operation would only ignore."""
    if said is None:
        return
    if "Idempotency-Key" in request.headers and not said.idempotent:
        raise Invalid(
            "idempotency_key_unsupported",
            "This operation can't promise to answer a repeat as before; send it without Idempotency-Key.",
        )
    is_read = method in ("GET", "HEAD")
    for header in _CONDITIONS if is_read else (*_CONDITIONS, "If-None-Match"):
        if header in request.headers and (is_read or header != "If-Match" or not said.tagged):
            raise Invalid(
                "precondition_unsupported", f"This operation can't honour {header}; send it without.", header=header
            )


def path_of(rule: Rule) -> str:
    """The route as the table and OpenAPI write it: `/api/orgs/{orgId}`."""
    return _written(rule.rule)


# Asked three times of each route while an application is made, and by who watches at every request.
@lru_cache(maxsize=1024)
def _written(rule: str) -> str:
    return _ARGUMENT.sub(lambda found: f"{{{to_camel(found[1])}}}", rule)


def _accesses(rules: Iterable[Rule]) -> Mapping[tuple[str, str], tuple[Access, Limit | None]]:
    found: dict[tuple[str, str], tuple[Access, Limit | None]] = {}
    unknown, missing = [], set(HTTP) | set(WEBSOCKETS)
    for rule in rules:
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            endpoint = path_of(rule) if rule.websocket else f"{method} {path_of(rule)}"
            access = (WEBSOCKETS if rule.websocket else HTTP).get(endpoint)
            if access is None:
                unknown.append(endpoint)
            else:
                found[rule.rule, method] = access, limit_of(endpoint, access)
            missing.discard(endpoint)
    if unknown or missing - set(WEBSOCKETS):
        raise RuntimeError(f"endpoints.py misses {sorted(unknown)} and has nothing behind {sorted(missing)}")
    return found


def _require(actor: Actor, action: Action, arguments: Mapping[str, Any]) -> None:
    """The use case asks again; here it is refused before a body is read."""
    org_id = arguments.get("org_id")
    if org_id is None:
        actor.require_scope(action)
    else:
        actor.require(action, org_id=org_id)


def _target_of(arguments: Mapping[str, Any]) -> str:
    """What the request is about: the innermost thing that its address names; None stands for what it leaves out."""
    return next((value for name, value in reversed(list(arguments.items())) if name in IDS and value is not None), "")


def _require_ids(arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name in IDS and value is not None and not is_id(value, IDS[name][0]):
            noun = IDS[name][1]
            raise NotFound(f"{noun}_not_found", f"There is no {_spoken(noun)} {value!r}.", id=value)


def _spoken(noun: str) -> str:
    words = noun.replace("_", " ")
    return words.replace("api ", "API ").replace("ssh ", "SSH ")
