from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.secret import Secret
from spunto.core.routes import asking
from spunto.core.routes.desired import AddressesSpec, RouteSpec, RouteState, Sharing
from spunto.core.routes.fields import MAX_BYTES, read, write
from spunto.core.routes.hosts import Addresses

SES = "ses_01j00000000000000000000001"
LNK = "lnk_01j00000000000000000000001"
WKR = "wkr_01j0000000000000000000000z"
NOD = "nod_01j0000000000000000000000z"

SAID: list[Any] = [
    asking.Authorize(
        items=(
            asking.Access(subject_id=WKR, port=3000, by=asking.ByPass(pass_id=SES)),
            asking.Access(subject_id=WKR, port=65_535, by=asking.ByToken(token=Secret("spk_x"))),
        )
    ),
    asking.Verdicts(
        items=(
            asking.Allowed(by=SES, user_id="usr_1", may_wake=True),
            asking.Allowed(by=LNK, user_id=None, may_wake=False),
            asking.Denied(code="worker_not_found", status=404),
        )
    ),
    asking.Redeem(host="h", code=Secret("c"), nonce=Secret("n")),
    asking.Redeem(host="h", link=Secret("l")),
    asking.Redeemed(by=SES, subject_id=WKR),
    asking.Redeemed(by=LNK, subject_id=WKR, expires_at=datetime(2026, 1, 1, tzinfo=UTC)),
    asking.Dial(node_id=NOD, ticket=Secret("t"), url="ws://x"),
    asking.Wake(subject_id=WKR, by=asking.ByPass(pass_id=SES)),
    asking.Woken(state=RouteState.COMING),
    asking.Active(items=(asking.Activity(subject_id=WKR, source=asking.Source.WEBSOCKET),)),
    asking.Done(),
    RouteSpec(
        kind="worker",
        org_id="org_1",
        owner_id="usr_1",
        node_id=NOD,
        index=3,
        state=RouteState.DOWN,
        reason="stopped",
        sharing={3000: Sharing.PUBLIC, 8080: Sharing.ORG},
    ),
    AddressesSpec(
        app_url="http://spunto.localhost:8000", addresses=Addresses(scheme="http", base_domain="w.localhost", port=8000)
    ),
    AddressesSpec(app_url="https://spunto.dev", addresses=Addresses(scheme="https", base_domain="w.dev")),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: type(said).__name__)
def test_what_is_written_is_read(said: Any) -> None:
    assert read(type(said), write(said)) == said


@pytest.mark.parametrize("said", SAID, ids=lambda said: type(said).__name__)
def test_what_a_newer_side_adds_is_passed_over(said: Any) -> None:
    body = orjson.loads(write(said))

    assert read(type(said), orjson.dumps({**body, "later": [1]})) == said


@pytest.mark.parametrize(
    "said", [said for said in SAID if not isinstance(said, asking.Done)], ids=lambda said: type(said).__name__
)
def test_no_field_may_be_of_another_kind(said: Any) -> None:
    body = orjson.loads(write(said))
    required = body.keys() - {"userId", "expiresAt", "reason", "port"}

    for name in required:
        with pytest.raises(Malformed):
            read(type(said), orjson.dumps({**body, name: [[]]}))


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff", b'{"a":NaN}', b"{}", b" " * (MAX_BYTES + 1)])
def test_what_is_no_question_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(asking.Wake, raw)


@pytest.mark.parametrize("port", [0, -1, 65_536, True, "80", 80.0, None])
def test_a_port_is_a_port(port: Any) -> None:
    body = {"items": [{"subjectId": WKR, "port": port, "by": {"pass": SES}}]}

    with pytest.raises(Malformed):
        read(asking.Authorize, orjson.dumps(body))


@pytest.mark.parametrize("port", ["", "0", "080", "65536", "٨٠", "1e3", "-1", " 80"])
def test_only_ports_are_shared(port: str) -> None:
    body = RouteSpec(kind="worker", org_id="o", owner_id="u", node_id="n", index=1, state=RouteState.UP).to_json()

    with pytest.raises(Malformed):
        RouteSpec.from_json({**body, "sharing": {port: "public"}})


@pytest.mark.parametrize(
    "body",
    [
        {"host": "h"},
        {"host": "h", "code": "c"},
        {"host": "h", "nonce": "n"},
        {"host": "h", "link": "l", "code": "c", "nonce": "n"},
    ],
)
def test_a_code_comes_with_its_nonce_and_a_link_alone(body: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        read(asking.Redeem, orjson.dumps(body))


def test_no_secret_is_shown() -> None:
    shown = repr(SAID)

    assert not any(secret in shown for secret in ("spk_x", "Secret('c')", "Secret('t')"))
