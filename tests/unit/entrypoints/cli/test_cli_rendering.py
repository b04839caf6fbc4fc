"""What people and programs read."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.client.activity import AuditEntry
from spunto.client.orgs import Organization
from spunto.client.users import UserSecret
from spunto.client.wire import Failure
from spunto.client.worker_models import SetupStatus, Worker
from spunto.core.kernel.errors import NotFound
from spunto.entrypoints.cli import rendering
from spunto.entrypoints.cli.audit import audit_table
from spunto.entrypoints.cli.orgs import ORGANIZATIONS
from spunto.entrypoints.cli.output import Output, _json, aligned, printable
from spunto.entrypoints.cli.progress import reporting, stage_of
from spunto.entrypoints.cli.secrets import secrets_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACME = Organization(id="org_1", name="Acme \x1b[31m", slug="acme", role="owner", created_at=NOW)


def a_worker(state: str, *, phase: str = "", error: str | None = None) -> Worker:
    return Worker(
        id="wkr_1",
        org_id="org_1",
        project_id="prj_1",
        name="fox",
        state=state,
        setup_status=SetupStatus(phase=phase),
        error=None if error is None else Failure(message=error),
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86400, "1d"), (10**7, "115d")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    assert rendering.age(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("count_bytes", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**30, "1 GiB"),
        (2**41, "2 TiB"),
        (2**52, "4096 TiB"),
    ],
)
def test_a_size_is_told_in_its_largest_unit(count_bytes: int | None, text: str) -> None:
    assert rendering.size(count_bytes) == text


def test_columns_are_aligned_without_trailing_blanks() -> None:
    assert aligned([["NAME", "STATE"], ["a", "ready"], ["longer", ""]]) == ["NAME    STATE", "a       ready", "longer"]


@given(st.text())
def test_no_text_from_elsewhere_steers_the_terminal(text: str) -> None:
    assert all(ord(character) >= 32 and not 0x7F <= ord(character) < 0xA0 for character in printable(text))


def test_text_of_all_scripts_stays_as_it_is() -> None:
    assert printable("Zoë 部署 🚀") == "Zoë 部署 🚀"


def test_a_table_on_a_pipe_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table([ACME], ORGANIZATIONS, wire=Organization.to_wire)

    assert capsys.readouterr().out == "NAME           SLUG  ROLE   ID\nAcme \\x1b[31m  acme  owner  org_1\n"


def test_json_is_what_the_server_said(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).table([ACME], ORGANIZATIONS, wire=Organization.to_wire)

    assert capsys.readouterr().out == (
        '{"items": [{"id": "org_1", "name": "Acme \\u001b[31m", "slug": "acme", "role": "owner", '
        '"createdAt": "2026-01-01T00:00:00Z"}]}\n'
    )


def test_fields_that_say_nothing_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).record(ACME, [("name", "Acme"), ("role", ""), ("id", "org_1")])

    assert capsys.readouterr().out == "name:  Acme\nid:    org_1\n"


def test_an_error_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).error(NotFound("x_not_found", "No."))
    Output(as_json=False).error(NotFound("x_not_found", "No."))

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        '{"type": "urn:spunto:error:x_not_found", "code": "x_not_found", "title": "X not found", "detail": "No."}\n'
        "error: No.\n"
    )


@pytest.mark.parametrize(
    ("worker", "stage"),
    [
        (a_worker("spawning"), "spawning"),
        (a_worker("spawning", phase="cloning"), "spawning · cloning"),
        (a_worker("starting", phase="ready"), "starting"),
        (a_worker("ready", phase="ready"), "ready"),
        (a_worker("ready", phase="error"), "ready · error"),
        (a_worker("stopping", phase="error"), "stopping"),
        (a_worker("error", phase="error", error="no such image"), "error · no such image"),
    ],
)
def test_progress_is_told_in_a_few_words(worker: Worker, stage: str) -> None:
    assert stage_of(worker) == stage


def test_progress_on_a_pipe_is_a_line_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting(Output(as_json=False), "fox") as report:
        for worker in (a_worker("spawning"), a_worker("spawning"), a_worker("ready")):
            report(worker)

    shown = capsys.readouterr()
    assert (shown.out, [line.partition(" (")[0] for line in shown.err.splitlines()]) == (
        "",
        ["fox: spawning", "fox: ready"],
    )


def test_progress_is_silent_with_json_even_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    with reporting(Output(as_json=True), "fox") as report:
        report(a_worker("spawning"))

    assert capsys.readouterr() == ("", "")


HOSTILE = "tab\there \x1b]52;c;ZXZpbA==\a \x9b31m \u202egnp\n"


def test_what_a_worker_wrote_does_nothing_to_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    Output(as_json=False).passed_on(HOSTILE * 2)

    assert capsys.readouterr().out == "tab\there \\x1b]52;c;ZXZpbA==\\x07 \\x9b31m \\u202egnp\n" * 2


def test_what_a_worker_wrote_goes_into_a_pipe_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).passed_on(HOSTILE)

    assert capsys.readouterr().out == HOSTILE


@given(st.text())
def test_json_means_the_same_and_has_nothing_that_a_terminal_obeys(text: str) -> None:
    written = _json({"name": text, HOSTILE: 1})

    assert json.loads(written) == {"name": text, HOSTILE: 1}
    assert printable(written) == written


def test_facts_are_told_in_words() -> None:
    assert [rendering.said(each) for each in (True, False, "2", 2)] == ["yes", "no", "2", "2"]


def test_what_has_a_name_is_told_by_it_beside_its_id() -> None:
    assert (rendering.named("usr_1", "Ada"), rendering.named("usr_1", None), rendering.named("usr_1", "")) == (
        "Ada (usr_1)",
        "usr_1",
        "usr_1",
    )


def test_the_audit_log_and_secrets_name_what_they_are_of() -> None:
    secret = UserSecret(id="sec_1", name="TOKEN", projects=("prj_1", "prj_2"), updated_at=datetime.now(UTC))
    entry = AuditEntry(
        id="evt_1",
        at=datetime.now(UTC),
        actor_kind="user",
        actor_id="usr_1",
        credential_id="ses_1",
        action="node.create",
        target_id="nod_1",
        outcome="allowed",
        detail={"name": "one", "size": "2"},
    )

    entered = [told(secret) for _, told in secrets_table({"prj_1": "hello"})]
    audited = [told(entry) for _, told in audit_table({"usr_1": "Ada"})]

    assert entered[1] == "hello (prj_1), prj_2"
    assert audited[3:] == ["Ada (usr_1)", "one (nod_1)", "size=2"]
