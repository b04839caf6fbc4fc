"""The questions that an edge asks the server, and the answers.

A question is a stream of the kind `name`, with one JSON object each way; its error is the stream's reset. Fields that
a newer side adds are passed over; those known here are strict.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from spunto.core.kernel.secret import Secret
from spunto.core.routes import fields
from spunto.core.routes.desired import RouteState


def nonce_hash(nonce: Secret) -> str:
    """What the server is told of the nonce that the browser keeps while it is sent there and back."""
    digest = hashlib.sha256(nonce.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Source(StrEnum):
    """What kept a subject busy."""

    HTTP = "http"
    WEBSOCKET = "websocket"
    TERMINAL = "terminal"
    SSH = "ssh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPass:
    """Who shows a pass: the session or link that it was given for."""

    pass_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByToken:
    """Who shows a session's token or an API key."""

    token: Secret


By = ByPass | ByToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """May they reach this port of this subject?"""

    subject_id: str
    port: int
    by: By

    def to_json(self) -> dict[str, Any]:
        return {"subjectId": self.subject_id, "port": self.port, "by": _by_to_json(self.by)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            subject_id=fields.text(body, "subjectId"), port=fields.port(body), by=_by(fields.mapping(body, "by"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize:
    """Answered by Verdicts, one for each item in its place."""

    name: ClassVar[str] = "authorize"
    items: tuple[Access, ...]

    def to_json(self) -> dict[str, Any]:
        return {"items": [item.to_json() for item in self.items]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(items=fields.items(body, Access.from_json))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """`by` is the credential's id. `user_id` is None for an organization's key and for a link; `may_wake` says whether
    they may start it where it is stopped."""

    by: str
    user_id: str | None
    may_wake: bool

    def to_json(self) -> dict[str, Any]:
        return {"allowed": True, "by": self.by, "userId": self.user_id, "mayWake": self.may_wake}


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """`status` is 401, 403 or 404."""

    code: str
    status: int

    def to_json(self) -> dict[str, Any]:
        return {"allowed": False, "code": self.code, "status": self.status}


Verdict = Allowed | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    items: tuple[Verdict, ...]

    def to_json(self) -> dict[str, Any]:
        return {"items": [item.to_json() for item in self.items]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(items=fields.items(body, _verdict))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """Take a one-time code, with the nonce it is bound to, or a link's token; answered by Redeemed."""

    name: ClassVar[str] = "redeem"
    host: str
    code: Secret | None = None
    nonce: Secret | None = None
    link: Secret | None = None

    def to_json(self) -> dict[str, Any]:
        secrets = {"code": self.code, "nonce": self.nonce, "link": self.link}
        return {"host": self.host, **{key: value.reveal() for key, value in secrets.items() if value is not None}}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        code, nonce, link = (fields.secret(body, key) for key in ("code", "nonce", "link"))
        if (link is None) == (code is None) or (code is None) != (nonce is None):
            raise fields.bad("code")
        return cls(host=fields.text(body, "host"), code=code, nonce=nonce, link=link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """`by` is the session's or the link's id; a link tells when it ends."""

    by: str
    subject_id: str
    expires_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        ends = {} if self.expires_at is None else {"expiresAt": self.expires_at.isoformat()}
        return {"by": self.by, "subjectId": self.subject_id, **ends}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            by=fields.text(body, "by"),
            subject_id=fields.text(body, "subjectId"),
            expires_at=fields.instant(body, "expiresAt"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Have the node dial the edge at `url` and show the ticket there; answered by Done when its agent has taken it.

    Refused with `node_offline` or `dial_refused`.
    """

    name: ClassVar[str] = "dial"
    node_id: str
    ticket: Secret
    url: str

    def to_json(self) -> dict[str, Any]:
        return {"nodeId": self.node_id, "ticket": self.ticket.reveal(), "url": self.url}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            node_id=fields.text(body, "nodeId"),
            ticket=Secret(fields.text(body, "ticket")),
            url=fields.text(body, "url"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Start the stopped subject as the one whose credential it is; answered by Woken, however often."""

    name: ClassVar[str] = "wake"
    subject_id: str
    by: By

    def to_json(self) -> dict[str, Any]:
        return {"subjectId": self.subject_id, "by": _by_to_json(self.by)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(subject_id=fields.text(body, "subjectId"), by=_by(fields.mapping(body, "by")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    state: RouteState

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state.value}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(state=fields.choice(body, "state", RouteState))


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    subject_id: str
    source: Source

    def to_json(self) -> dict[str, Any]:
        return {"subjectId": self.subject_id, "source": self.source.value}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(subject_id=fields.text(body, "subjectId"), source=fields.choice(body, "source", Source))


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """These subjects were used just now; said of one subject each 20 s at most, and answered by Done."""

    name: ClassVar[str] = "active"
    items: tuple[Activity, ...]

    def to_json(self) -> dict[str, Any]:
        return {"items": [item.to_json() for item in self.items]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(items=fields.items(body, Activity.from_json))


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls()


def _by_to_json(by: By) -> dict[str, Any]:
    return {"pass": by.pass_id} if isinstance(by, ByPass) else {"token": by.token.reveal()}


def _by(body: Mapping[str, Any]) -> By:
    if "pass" in body:
        return ByPass(pass_id=fields.text(body, "pass"))
    return ByToken(token=Secret(fields.text(body, "token")))


def _verdict(body: Mapping[str, Any]) -> Verdict:
    if fields.flag(body, "allowed"):
        return Allowed(
            by=fields.text(body, "by"),
            user_id=fields.optional_text(body, "userId"),
            may_wake=fields.flag(body, "mayWake"),
        )
    return Denied(code=fields.text(body, "code"), status=fields.number(body, "status", lowest=400, highest=499))
