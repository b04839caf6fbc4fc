"""What the server tells an edge to serve: the specs of the items of its session, by their kinds."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Self

from spunto.core.protocol.session import SessionSettings
from spunto.core.routes import fields
from spunto.core.routes.hosts import Addresses, base_domain_problem

URL_LABEL: Final = "url"
"""Where agents dial the edge, in the labels of its Hello."""

# An item of the kind `route` has its subject's id.
ROUTE: Final = "route"
# The keys of passes are the item's secrets; it has no spec.
KEY: Final = "key"
PASS_KEY_ID: Final = "pass"  # noqa: S105 - the name, not the value
SETTINGS: Final = "settings"
ADDRESSES_ID: Final = "addresses"
EDGE_SESSION: Final = SessionSettings(
    heartbeat_seconds=5.0,
    control_per_second=20_000,
    control_burst=40_000,
    backlog_frames=16_384,
    backlog_bytes=256 * 1024 * 1024,
    # All routes at once, and all that is said of them.
    desired_items=200_000,
    inbox_messages=1024,
    inbox_bytes=256 * 1024 * 1024,
    handlers=4096,
)
"""For both ends: every route comes at once, and each request of many people may be a question."""

_PASS: Final = "PASS"  # noqa: S105 - likewise


class Sharing(StrEnum):
    """Who may reach a port beside its subject's owner: nobody, the organization's members, everybody."""

    OWNER = "owner"
    ORG = "org"
    PUBLIC = "public"


class RouteState(StrEnum):
    """Whether the subject can be reached now. `coming` becomes `up` by itself; `down` needs somebody who starts it."""

    UP = "up"
    COMING = "coming"
    DOWN = "down"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """A subject that can be reached. `sharing` names the ports that are shared; all others are their owner's alone.

    `owner_id` is that of a user or of an API key; `reason` is a code that says why the state is as it is.
    """

    kind: str
    org_id: str
    owner_id: str
    node_id: str
    index: int
    state: RouteState
    reason: str = ""
    sharing: Mapping[int, Sharing] = field(default_factory=dict)

    def sharing_of(self, port: int) -> Sharing:
        return self.sharing.get(port, Sharing.OWNER)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "orgId": self.org_id,
            "ownerId": self.owner_id,
            "nodeId": self.node_id,
            "index": self.index,
            "state": self.state.value,
            "reason": self.reason,
            "sharing": {str(port): sharing.value for port, sharing in sorted(self.sharing.items())},
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Raises Malformed `bad_question`."""
        sharing = fields.mapping(body, "sharing")
        return cls(
            kind=fields.text(body, "kind"),
            org_id=fields.text(body, "orgId"),
            owner_id=fields.text(body, "ownerId"),
            node_id=fields.text(body, "nodeId"),
            index=fields.number(body, "index", lowest=0, highest=999_999_999),
            state=fields.choice(body, "state", RouteState),
            reason=fields.text(body, "reason") if body.get("reason") else "",
            sharing={fields.port_named(port): fields.choice(sharing, port, Sharing) for port in sharing},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesSpec:
    """`app_url` is the origin of the API and the dashboard, where people are sent to sign in."""

    app_url: str
    addresses: Addresses

    def to_json(self) -> dict[str, Any]:
        told = self.addresses
        return {
            "appUrl": self.app_url,
            "baseDomain": told.base_domain,
            "scheme": told.scheme,
            "port": told.port,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Raises Malformed `bad_question`."""
        base_domain = fields.text(body, "baseDomain")
        if base_domain_problem(base_domain) is not None:
            raise fields.bad("baseDomain")
        port = None if body.get("port") is None else fields.port(body)
        addresses = Addresses(scheme=_scheme(body), base_domain=base_domain, port=port)
        return cls(app_url=fields.text(body, "appUrl"), addresses=addresses)


def secrets_of(keys: Sequence[bytes]) -> dict[str, str]:
    """The keys of passes as an item's secrets, in base64: `PASS` is the one to sign with, `PASS_1` and so on are good
    still."""
    names = (f"{_PASS}_{number}" if number else _PASS for number in range(len(keys)))
    return {name: base64.b64encode(key).decode() for name, key in zip(names, keys, strict=True)}


def keys_of(secrets: Mapping[str, str]) -> tuple[bytes, ...]:
    """What `secrets_of` was given. Raises Malformed `bad_question`."""
    try:
        keys = [base64.b64decode(secrets[name], validate=True) for name in sorted(secrets, key=_number)]
    except ValueError as error:
        raise fields.bad(_PASS) from error
    if not keys:
        raise fields.bad(_PASS)
    return tuple(keys)


def _number(name: str) -> int:
    return int(name.removeprefix(_PASS).removeprefix("_") or 0)


def _scheme(body: Mapping[str, Any]) -> Literal["http", "https"]:
    match body.get("scheme"):
        case "http":
            return "http"
        case "https":
            return "https"
    raise fields.bad("scheme")
