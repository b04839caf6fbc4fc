"""Consent: a secret enters only the workers that its owner said, and a user's wins over the organization's."""

from typing import Any

import pytest

from spunto.core.access.model import OrgId, UserId
from spunto.core.secrets.consent import Use, chosen, may_enter
from spunto.core.secrets.model import EVERYWHERE, NOWHERE, OWN, Consent, StoredSecret
from spunto.testing.contracts.store import a_secret

ORG, ANN, BOB = OrgId("org_1"), UserId("usr_ann"), UserId("usr_bob")
NAMED = Consent(project_ids=frozenset({"prj_1"}))


def a_use(**changes: Any) -> Use:
    return Use(**{"org_id": ORG, "project_id": "prj_1", "made_by": None, "only_member": None, **changes})


def of_ann(name: str = "TOKEN", consent: Consent = OWN) -> StoredSecret:
    return a_secret(ANN, name=name, consent=consent)


@pytest.mark.parametrize(
    ("consent", "use", "enters"),
    [
        (OWN, a_use(made_by=ANN), True),
        (OWN, a_use(made_by=BOB), False),
        (OWN, a_use(made_by=None), False),
        (OWN, a_use(made_by=BOB, only_member=ANN), True),
        (OWN, a_use(made_by=BOB, only_member=BOB), False),
        (NAMED, a_use(made_by=BOB), True),
        (NAMED, a_use(project_id="prj_2", made_by=ANN), False),
        (Consent(own=True, project_ids=frozenset({"prj_2"})), a_use(made_by=ANN), True),
        (EVERYWHERE, a_use(project_id="prj_9", made_by=BOB), True),
        (NOWHERE, a_use(made_by=ANN, only_member=ANN), False),
    ],
)
def test_a_secret_enters_where_its_owner_said(consent: Consent, use: Use, enters: bool) -> None:
    assert may_enter(of_ann(consent=consent), use) is enters


def test_a_user_s_secret_wins_and_what_was_granted_once_enters() -> None:
    theirs, mine, once = a_secret(ORG, name="TOKEN", consent=NAMED), of_ann(consent=EVERYWHERE), of_ann("ONCE")

    found = chosen(
        ["TOKEN", "ONCE"],
        a_use(made_by=BOB),
        of_organization=[
            theirs,
            a_secret(ORG, name="OTHER", consent=NAMED),
            a_secret(ORG, name="ONCE", consent=NOWHERE),
        ],
        of_user=[mine, once, of_ann("UNASKED", EVERYWHERE)],
        granted=["ONCE"],
    )

    assert found == {"TOKEN": mine, "ONCE": once}
