"""Who comes through the HTTP door: every route has its entry in the table of endpoints, or nothing is served at all."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.alias_generators import to_camel
from quart import Quart, g, request
from werkzeug.routing import Rule

from spunto.core.access.model import Actor
from spunto.core.access.policy import Action
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.ids import is_id
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
    "secret_id": ("sec", "secret"),
    "ssh_key_id": ("ssk", "ssh_key"),
    "org_secret_id": ("sec", "secret"),
    "webhook_id": ("whk", "webhook"),
    "delivery_id": ("whd", "webhook_delivery"),
}
"""Names in routes, the prefix of their ids, and what they are ids of."""

BY_ORGANIZATION: Final = frozenset({Limit.SPAWN, Limit.INVITE})
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
        access, limit = accesses[rule.rule, "GET" if request.method == "HEAD" else request.method]
        if not isinstance(access, Action):
            if limit is not None:
                gate.take(limit, request.headers, peer)
            return
        actor = await gate.admit(request.headers, method=request.method, request_id=g.request_id, peer=peer)
        g.actor, g.action, g.org_id, g.target_id = actor, access, arguments.get("org_id"), _target_of(arguments)
        _require_ids(arguments)
        _require(actor, access, arguments)
        if limit is not None:
            gate.limits.take(limit, arguments["org_id"] if limit in BY_ORGANIZATION else actor.subject_id)
        arguments["actor"] = actor


def path_of(rule: Rule) -> str:
    """The route as the table and OpenAPI write it: `/api/orgs/{orgId}`."""
    return _ARGUMENT.sub(lambda found: f"{{{to_camel(found[1])}}}", rule.rule)


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
    """What the request is about: the innermost thing that its address names."""
    return next((value for name, value in reversed(list(arguments.items())) if name in IDS), "")


def _require_ids(arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name in IDS and not is_id(value, IDS[name][0]):
            noun = IDS[name][1]
            raise NotFound(f"{noun}_not_found", f"There is no {noun.replace('_', ' ')} {value!r}.", id=value)
