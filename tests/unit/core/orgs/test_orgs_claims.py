"""Which ID tokens let somebody in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.errors import Forbidden, SpuntoError, Unauthenticated
from spunto.core.kernel.names import name_problem
from spunto.core.orgs.claims import CLOCK_SKEW, OLDEST, Expected, Profile, profile_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPECTED = Expected(issuer="https://issuer.example", client_id="spunto", nonce="n-1", hosted_domain=None)


def at(**offset: float) -> float:
    return (NOW + timedelta(**offset)).timestamp()


def some_claims(**changes: Any) -> dict[str, Any]:
    """Good ones; a change to None leaves a claim out."""
    claims = {
        "iss": "https://issuer.example",
        "aud": "spunto",
        "sub": "1",
        "nonce": "n-1",
        "iat": int(at()),
        "exp": int(at(minutes=5)),
        "email": "Ada@Example.org",
        "email_verified": True,
        "name": "Ada Lovelace",
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def test_good_claims_name_a_person_with_the_address_in_lower_case() -> None:
    assert profile_of(some_claims(), EXPECTED, now=NOW) == Profile(
        issuer="https://issuer.example", subject="1", email="ada@example.org", name="Ada Lovelace"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["spunto"]},
        {"aud": ["spunto", "other"], "azp": "spunto"},
        {"azp": "spunto"},
        {"exp": at(seconds=-29)},
        {"iat": at(seconds=29)},
        {"nbf": at(seconds=29)},
    ],
)
def test_what_the_standard_allows_is_good(changes: dict[str, Any]) -> None:
    assert profile_of(some_claims(**changes), EXPECTED, now=NOW).subject == "1"


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("iss", {"iss": None}),
        ("iss", {"iss": "https://issuer.example/"}),
        ("iss", {"iss": "https://evil.example"}),
        ("aud", {"aud": None}),
        ("aud", {"aud": "spunto2"}),
        ("aud", {"aud": ["other"]}),
        ("aud", {"aud": []}),
        ("aud", {"aud": {"spunto": 1}}),
        ("azp", {"aud": ["spunto", "other"]}),
        ("azp", {"aud": ["spunto", "other"], "azp": "other"}),
        ("azp", {"azp": "other"}),
        ("nonce", {"nonce": None}),
        ("nonce", {"nonce": "n-2"}),
        ("nonce", {"nonce": ["n-1"]}),
        ("exp", {"exp": None}),
        ("exp", {"exp": at(seconds=-30)}),
        ("exp", {"exp": str(at(minutes=5))}),
        ("exp", {"exp": True}),
        ("exp", {"exp": float("nan")}),
        ("exp", {"exp": 10**400}),
        ("iat", {"iat": None}),
        ("iat", {"iat": at(seconds=31)}),
        ("iat", {"iat": at(minutes=-10, seconds=-1)}),
        ("iat", {"iat": float("nan")}),
        ("nbf", {"nbf": at(seconds=31)}),
        ("sub", {"sub": None}),
        ("sub", {"sub": ""}),
        ("sub", {"sub": 1}),
        ("sub", {"sub": "x" * 256}),
        ("sub", {"sub": "a\nb"}),
        ("email", {"email": "nobody"}),
        ("email", {"email": "@example.org"}),
        ("email", {"email": "a b@example.org"}),
        ("email", {"email": "a@"}),
        ("email", {"email": f"{'x' * 250}@x.org"}),
    ],
)
def test_what_is_not_for_this_sign_in_is_refused_with_the_claim_s_name(claim: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        profile_of(some_claims(**changes), EXPECTED, now=NOW)

    assert (caught.value.code, caught.value.fields["claim"]) == ("identity_not_good", claim)


@pytest.mark.parametrize("claims", [{"email_verified": None}, {"email_verified": None, "xms_edov": True}])
def test_an_address_of_which_it_is_unsaid_whether_it_is_verified_counts_where_the_operator_says_so(
    claims: dict[str, Any],
) -> None:
    with pytest.raises(Forbidden) as caught:
        profile_of(some_claims(**claims), EXPECTED, now=NOW)

    assert caught.value.code == "email_verification_unsaid"
    assert profile_of(some_claims(**claims), replace(EXPECTED, trusts_unsaid_email=True), now=NOW).subject == "1"


@pytest.mark.parametrize("trusts", [False, True])
def test_an_account_without_an_address_is_told_so(trusts: bool) -> None:
    with pytest.raises(Forbidden) as caught:
        profile_of(some_claims(email=None), replace(EXPECTED, trusts_unsaid_email=trusts), now=NOW)

    assert caught.value.code == "email_missing"


@pytest.mark.parametrize("verified", [False, "true", "false", 1, "yes", [True]])
def test_an_address_that_is_not_verified_is_refused(verified: object) -> None:
    with pytest.raises(Forbidden) as caught:
        profile_of(some_claims(email_verified=verified), replace(EXPECTED, trusts_unsaid_email=True), now=NOW)

    assert caught.value.code == "email_not_verified"


@pytest.mark.parametrize("hosted", [None, "", "Example.org", "sub.example.org", "example.org.evil", ["example.org"]])
def test_only_the_hosted_domain_itself_is_let_in(hosted: object) -> None:
    expected = Expected(issuer=EXPECTED.issuer, client_id="spunto", nonce="n-1", hosted_domain="example.org")

    assert profile_of(some_claims(hd="example.org"), expected, now=NOW).subject == "1"
    with pytest.raises(Forbidden) as caught:
        profile_of(some_claims(hd=hosted), expected, now=NOW)

    assert caught.value.code == "domain_not_allowed"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, "ada@example.org"),
        ("", "ada@example.org"),
        (7, "ada@example.org"),
        (" Ada\x00\n Lovelace ", "Ada Lovelace"),
        ("x" * 200, "x" * 100),
        ("Ada / Ops", "Ada - Ops"),
        ("Ada\u202e", "Ada"),
        ("\u3164", "ada@example.org"),
    ],
)
def test_a_name_is_one_line_and_the_address_where_there_is_none(name: object, shown: str) -> None:
    assert profile_of(some_claims(name=name), EXPECTED, now=NOW).name == shown


@pytest.mark.parametrize("email", ["ops/ada@example.org", "a" * 150 + "@example.org", "\u0301" * 100 + "@a.org"])
def test_an_address_that_stands_for_a_name_is_made_one(email: str) -> None:
    shown = profile_of(some_claims(name=None, email=email), EXPECTED, now=NOW).name

    assert name_problem(shown) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from([*some_claims(), "azp", "nbf", "hd"]), JSON)
def test_no_claim_breaks_the_reading_of_them(name: str, value: object) -> None:
    try:
        profile = profile_of({**some_claims(), name: value}, EXPECTED, now=NOW)
    except SpuntoError:
        return
    assert (profile.issuer, profile.subject) == (EXPECTED.issuer, value if name == "sub" else "1")


@given(st.integers(min_value=-3600, max_value=3600), st.integers(min_value=-3600, max_value=3600))
def test_a_token_is_good_from_its_making_to_its_end(issued: int, ends: int) -> None:
    claims = some_claims(iat=at(seconds=issued), exp=at(seconds=ends))
    skew = CLOCK_SKEW.total_seconds()
    good = -OLDEST.total_seconds() <= issued <= skew and ends > -skew

    try:
        profile_of(claims, EXPECTED, now=NOW)
    except Unauthenticated:
        assert not good
        return
    assert good


def test_an_address_that_only_unicode_takes_for_another_one_stays_its_own() -> None:
    # The sign for kelvin, which `str.lower` makes a k: it would be another person's address.
    profile = profile_of(some_claims(email="\u212aim@example.org"), EXPECTED, now=NOW)

    assert profile.email == "\u212aim@example.org"
