"""Who may do what, once more and by hand: a second opinion that shares nothing with the policy that it judges.

Read from the contract (`docs/`, and what the endpoints promise), never from `spunto.core.access`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MEMBER, ADMIN, OWNER = "member", "admin", "owner"
_STANDING: Final = (MEMBER, ADMIN, OWNER)
NOBODY_S: Final[frozenset[str]] = frozenset()
ED25519: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmaBnzYJnQfbqPDwQ9A6Z0bSYSVR5JJ2FHHVYu8kJfN x@y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`scopes` are those of which a key needs one, beside `*`; nothing where only a sign-in will do.

    `whose` says whose thing it may be: "anybody", "own", "own_or_admin", "enter" for what is inside a worker, "member"
    for memberships, or "unknown" where the test has nothing good to name.
    """

    role: str | None
    scopes: frozenset[str] | None
    whose: str = "anybody"
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A principal as these rules see it. `scopes` is None for a sign-in."""

    is_good: bool
    roles: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[str] | None = None
    user_id: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names. `org_id` is None for a person's own things."""

    well_formed: bool
    org_id: str | None
    exists: bool
    owner: str | None = None
    owner_is_an_owner: bool = False


def verdict(rule: Rule, asker: Asker, target: Target) -> str:
    """`401`, `403`, `404` or `ok`."""
    if not asker.is_good:
        return "401"
    if not target.well_formed:
        return "404"
    if target.org_id is not None and target.org_id not in asker.roles:
        return "404"
    if not _covers(rule, asker):
        return "403"
    if target.org_id is None:
        return _own_things(rule, asker, target)
    role = asker.roles[target.org_id]
    if rule.role is not None and _STANDING.index(role) < _STANDING.index(rule.role):
        return "403"
    return _somebody_s(rule, asker, target, role)


def _covers(rule: Rule, asker: Asker) -> bool:
    if asker.scopes is None:
        return True
    if rule.scopes is None:
        return False
    wanted = set(rule.scopes)
    for scope in rule.scopes:
        resource, verb = scope.split(":")
        if verb == "read":
            wanted |= {f"{resource}:write", f"{resource}:exec"}
    return "*" in asker.scopes or bool(wanted & asker.scopes)


def _own_things(rule: Rule, asker: Asker, target: Target) -> str:
    # A key of an organization is nobody.
    if rule.whose == "own" and asker.user_id is None:
        return "403"
    if not target.exists or rule.whose == "unknown" or target.owner not in (None, asker.user_id):
        return "404"
    return "ok"


def _somebody_s(rule: Rule, asker: Asker, target: Target, role: str) -> str:
    is_own = target.owner is not None and target.owner in (asker.user_id, asker.key_id)
    if rule.whose == "member":
        # Everybody may leave; only admins look after others, and only owners after owners.
        if not is_own and role == MEMBER:
            return "403"
        if not target.exists:
            return "404"
        return "403" if target.owner_is_an_owner and role != OWNER else "ok"
    if not target.exists:
        return "404"
    if rule.whose == "enter" and not is_own:
        # Admins enter what an organization's key owns.
        return "ok" if role != MEMBER and (target.owner or "").startswith("key_") else "403"
    if rule.whose == "own" and not is_own:
        return "403"
    if rule.whose == "own_or_admin" and not is_own and role == MEMBER:
        return "403"
    return "ok"


def _keys(*scopes: str) -> frozenset[str]:
    return frozenset(scopes)


def _rule(role: str | None, scopes: frozenset[str] | None, whose: str = "anybody", body: Any = None) -> Rule:
    return Rule(role=role, scopes=scopes, whose=whose, body=body)


ME: Final = "/api/users/me"
ORG: Final = "/api/orgs/{orgId}"
PROJECT: Final = f"{ORG}/projects/{{projectId}}"
WORKER: Final = f"{PROJECT}/workers/{{workerId}}"
ANY_WORKER: Final = f"{ORG}/workers/{{workerId}}"
NODE: Final = f"{ORG}/nodes/{{nodeId}}"
WEBHOOK: Final = f"{ORG}/webhooks/{{webhookId}}"
TERMINAL: Final = "/api/workers/{workerId}/terminal"
ONLY_ALL: Final[frozenset[str]] = NOBODY_S
SIGNED_IN: Final = None

OPEN: Final = frozenset(
    {
        "GET /",
        "GET /healthz",
        "GET /.well-known/oauth-authorization-server",
        "GET /readyz",
        "GET /api/agent/install.sh",
        "GET /api/agent/wheels/{name}",
        "GET /api/auth/login",
        "GET /api/auth/worker",
        "GET /api/openapi.json",
        "GET /api/docs",
        "GET /api/docs/{name}",
        "GET /invites/{token}",
        "GET /device",
        "POST /api/auth/device",
    }
)
"""What anybody may see."""

BY_A_CREDENTIAL_OF_ITS_OWN: Final = frozenset(
    {
        "GET /metrics",
        "GET /api/auth/bootstrap",
        "GET /api/auth/callback",
        "POST /api/auth/device/token",
        "/api/agent/connect",
        "/api/edge/connect",
    }
)
"""What no credential of these principals opens; each has tests of its own."""

_DECIDED: Final[Mapping[str, Rule]] = {
    f"GET {ORG}/workers": _rule(MEMBER, _keys("workers:read")),
    "GET /api/auth/session": _rule(
        None, _keys(*(f"{r}:read" for r in ("org", "projects", "workers", "nodes", "deployments")))
    ),
    "POST /api/auth/logout": _rule(None, SIGNED_IN),
    f"GET {ME}": _rule(None, ONLY_ALL, "own"),
    f"PATCH {ME}": _rule(None, ONLY_ALL, "own", {"name": "Renamed"}),
    f"GET {ME}/secrets": _rule(None, ONLY_ALL, "own"),
    f"POST {ME}/secrets": _rule(None, ONLY_ALL, "own", {"name": "FRESH", "value": "v"}),
    f"PATCH {ME}/secrets/{{secretId}}": _rule(None, ONLY_ALL, "own", {"projects": "all"}),
    f"DELETE {ME}/secrets/{{secretId}}": _rule(None, ONLY_ALL, "own"),
    f"GET {ME}/ssh-keys": _rule(None, ONLY_ALL, "own"),
    f"POST {ME}/ssh-keys": _rule(None, SIGNED_IN, "own", {"publicKey": ED25519}),
    f"DELETE {ME}/ssh-keys/{{sshKeyId}}": _rule(None, SIGNED_IN, "own"),
    "GET /api/orgs": _rule(None, _keys("org:read")),
    "POST /api/orgs": _rule(None, SIGNED_IN, body={"name": "Another"}),
    f"GET {ORG}": _rule(MEMBER, _keys("org:read")),
    f"PATCH {ORG}": _rule(ADMIN, SIGNED_IN, body={"name": "Renamed"}),
    f"DELETE {ORG}": _rule(OWNER, SIGNED_IN),
    f"GET {ORG}/members": _rule(MEMBER, _keys("org:read")),
    f"PATCH {ORG}/members/{{userId}}": _rule(ADMIN, SIGNED_IN, "member", {"role": "member"}),
    f"DELETE {ORG}/members/{{userId}}": _rule(MEMBER, SIGNED_IN, "member"),
    f"GET {ORG}/invites": _rule(ADMIN, SIGNED_IN),
    f"POST {ORG}/invites": _rule(ADMIN, SIGNED_IN, body={"email": "new@example.org", "role": "member"}),
    f"DELETE {ORG}/invites/{{invitationId}}": _rule(ADMIN, SIGNED_IN),
    f"GET {ORG}/api-keys": _rule(MEMBER, SIGNED_IN),
    f"POST {ORG}/api-keys": _rule(MEMBER, SIGNED_IN, body={"name": "k", "ownerType": "user", "scopes": ["org:read"]}),
    f"DELETE {ORG}/api-keys/{{keyId}}": _rule(MEMBER, SIGNED_IN, "own_or_admin"),
    f"GET {ORG}/audit": _rule(ADMIN, _keys("org:read")),
    f"GET {ORG}/events": _rule(MEMBER, _keys("org:read")),
    f"GET {ORG}/secrets": _rule(ADMIN, ONLY_ALL),
    f"POST {ORG}/secrets": _rule(ADMIN, ONLY_ALL, body={"name": "FRESH", "value": "v"}),
    f"PATCH {ORG}/secrets/{{orgSecretId}}": _rule(ADMIN, ONLY_ALL, body={"projects": "all"}),
    f"DELETE {ORG}/secrets/{{orgSecretId}}": _rule(ADMIN, ONLY_ALL),
    f"GET {ORG}/webhooks": _rule(ADMIN, ONLY_ALL),
    f"POST {ORG}/webhooks": _rule(ADMIN, SIGNED_IN, body={"url": "https://hooks.example.org/fresh"}),
    f"GET {WEBHOOK}": _rule(ADMIN, ONLY_ALL),
    f"PATCH {WEBHOOK}": _rule(ADMIN, SIGNED_IN, body={"description": "Changed"}),
    f"DELETE {WEBHOOK}": _rule(ADMIN, SIGNED_IN),
    f"POST {WEBHOOK}/rotate-secret": _rule(ADMIN, SIGNED_IN),
    f"POST {WEBHOOK}/test": _rule(ADMIN, SIGNED_IN),
    f"GET {WEBHOOK}/deliveries": _rule(ADMIN, ONLY_ALL),
    f"GET {WEBHOOK}/deliveries/{{deliveryId}}": _rule(ADMIN, ONLY_ALL),
    f"POST {WEBHOOK}/deliveries/{{deliveryId}}/redeliver": _rule(ADMIN, SIGNED_IN),
    f"GET {ORG}/nodes": _rule(MEMBER, _keys("nodes:read")),
    f"POST {ORG}/nodes": _rule(ADMIN, _keys("nodes:write"), body={"name": "fresh"}),
    f"GET {NODE}": _rule(MEMBER, _keys("nodes:read")),
    f"PATCH {NODE}": _rule(ADMIN, _keys("nodes:write"), body={"labels": {"disk": "ssd"}}),
    f"DELETE {NODE}": _rule(ADMIN, _keys("nodes:write")),
    f"POST {NODE}/token": _rule(ADMIN, _keys("nodes:write")),
    f"POST {NODE}/drain": _rule(ADMIN, _keys("nodes:write")),
    f"POST {NODE}/undrain": _rule(ADMIN, _keys("nodes:write")),
    f"GET {NODE}/inventory": _rule(MEMBER, _keys("nodes:read")),
    f"GET {ORG}/projects": _rule(MEMBER, _keys("projects:read")),
    f"POST {ORG}/projects": _rule(MEMBER, _keys("projects:write"), body={"name": "fresh", "image": "debian"}),
    f"GET {PROJECT}": _rule(MEMBER, _keys("projects:read")),
    f"PATCH {PROJECT}": _rule(MEMBER, _keys("projects:write"), "own_or_admin", {"description": "Changed"}),
    f"DELETE {PROJECT}": _rule(MEMBER, _keys("projects:write"), "own_or_admin"),
    f"GET {PROJECT}/versions": _rule(MEMBER, _keys("projects:read")),
    f"POST {PROJECT}/versions/{{number}}/restore": _rule(MEMBER, _keys("projects:write"), "own_or_admin"),
    # Whose each of them is, is asked for each.
    f"POST {ORG}/workers/stop": _rule(MEMBER, _keys("workers:write"), body={"tag": "nobody-has-it"}),
    f"POST {ORG}/workers/destroy": _rule(MEMBER, _keys("workers:write"), body={"tag": "nobody-has-it"}),
    f"GET {PROJECT}/workers": _rule(MEMBER, _keys("workers:read")),
    f"POST {PROJECT}/workers": _rule(MEMBER, _keys("workers:write"), body={}),
    f"GET {WORKER}": _rule(MEMBER, _keys("workers:read")),
    f"PATCH {WORKER}": _rule(MEMBER, _keys("workers:write"), "own_or_admin", {"name": "renamed"}),
    f"DELETE {WORKER}": _rule(MEMBER, _keys("workers:write"), "own_or_admin"),
    f"POST {WORKER}/stop": _rule(MEMBER, _keys("workers:write"), "own_or_admin"),
    f"POST {WORKER}/start": _rule(MEMBER, _keys("workers:write"), "own_or_admin"),
    f"POST {WORKER}/rebuild": _rule(MEMBER, _keys("workers:write"), "own_or_admin", {}),
    f"GET {WORKER}/logs": _rule(MEMBER, _keys("workers:read"), "own_or_admin"),
    f"GET {WORKER}/stats": _rule(MEMBER, _keys("workers:read")),
    f"GET {WORKER}/git-status": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"GET {WORKER}/ports": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"GET {WORKER}/terminals": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"DELETE {WORKER}/terminals/{{session}}": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"POST {WORKER}/exec": _rule(MEMBER, _keys("workers:exec"), "enter", {"command": ["true"]}),
    f"GET {WORKER}/files?path=/tmp&stat": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"PUT {WORKER}/files?path=/tmp/made&directory": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"DELETE {WORKER}/files?path=/tmp/none": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"POST {WORKER}/files/move": _rule(MEMBER, _keys("workers:exec"), "enter", {"from": "/tmp/a", "to": "/tmp/b"}),
    f"POST {WORKER}/keep-alive": _rule(MEMBER, _keys("workers:write", "workers:exec"), "own_or_admin", {}),
    f"GET {WORKER}/sharing": _rule(MEMBER, _keys("workers:exec"), "own_or_admin"),
    f"PUT {WORKER}/ports/{{port}}": _rule(MEMBER, _keys("workers:exec"), "enter", {"sharing": "org"}),
    f"GET {WORKER}/ports/{{port}}/links": _rule(MEMBER, _keys("workers:exec"), "own_or_admin"),
    f"POST {WORKER}/ports/{{port}}/links": _rule(MEMBER, SIGNED_IN, "enter", {"expiresInSeconds": 30 * 24 * 3600}),
    f"DELETE {WORKER}/ports/{{port}}/links/{{linkId}}": _rule(MEMBER, _keys("workers:exec"), "own_or_admin"),
    "POST /api/invites/accept": _rule(None, SIGNED_IN, "unknown", {"token": "x" * 43}),
    "POST /device": _rule(None, SIGNED_IN),
    "POST /invites/{token}": _rule(None, SIGNED_IN, "unknown"),
    f"{TERMINAL}?mode=terminal": _rule(MEMBER, _keys("workers:exec"), "enter"),
    f"{TERMINAL}?mode=logs": _rule(MEMBER, _keys("workers:read"), "own_or_admin"),
}

# A worker that is named without its project is the same worker.
RULES: Final[Mapping[str, Rule]] = {
    **_DECIDED,
    **{endpoint.replace(WORKER, ANY_WORKER): rule for endpoint, rule in _DECIDED.items()},
}
