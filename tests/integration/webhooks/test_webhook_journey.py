"""A real server and real receivers: what happens arrives signed, is retried, and outlives the server's death."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as Verifier
from tests.fixtures.processes import Server, running_server
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.command_line import CommandLine
from tests.integration.webhooks.certificates import server_context
from tests.integration.webhooks.receiver import Got, Receiver, receiving

ARRIVE_SECONDS = 20.0
# A dead server's lease has to end first.
AFTER_DEATH_SECONDS = 60.0
ENVIRONMENT = {"SPUNTO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}


class Owner:
    """The API as the owner of the only organization."""

    def __init__(self, server: Server) -> None:
        bearer = {"Authorization": f"Bearer {server.owner_token}"}
        self._http = httpx.Client(base_url=server.url, headers=bearer, timeout=10)
        self._org = f"/api/orgs/{self._http.get('/api/orgs').json()['items'][0]['id']}"

    def close(self) -> None:
        self._http.close()

    def make(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._http.post(f"{self._org}{path}", json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def webhook(self, url: str, *events: str) -> dict[str, Any]:
        return self.make("/webhooks", {"url": url, "events": list(events) or None})

    def project(self, name: str) -> str:
        return str(self.make("/projects", {"name": name, "image": "debian"})["id"])

    def deliveries(self, webhook: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._http.get(f"{self._org}/webhooks/{webhook['id']}/deliveries").json()["items"]
        return found[::-1]


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[tuple[Server, Owner]]:
    with running_server(directory / "server", **settings) as server, closing(Owner(server)) as owner:
        yield server, owner


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def verified(got: Got, webhook: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = Verifier(webhook["secret"]).verify(got.body, dict(got.headers))
    return told


def arrived(receiver: Receiver, path: str, count: int, *, seconds: float = ARRIVE_SECONDS) -> list[Got]:
    def enough() -> list[Got]:
        return receiver.at(path) if len(receiver.at(path)) >= count else []

    return wait_until(enough, seconds=seconds, what=f"{count} messages at {path}, not {len(receiver.at(path))}")


@pytest.mark.long
def test_what_happens_arrives_signed_and_is_tried_again_until_it_does(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda path, count: (500 if (path, count) == ("/flaky", 0) else 204, {})
    url = f"http://127.0.0.1:{receiver.port}"
    with serving(tmp_path, environment=ENVIRONMENT) as (server, owner):
        everything, flaky = owner.webhook(f"{url}/all"), owner.webhook(f"{url}/flaky", "project.created")
        project = owner.project("hello")
        test = owner.make(f"/webhooks/{flaky['id']}/test", {})

        # Messages may overtake each other.
        told = sorted(
            (verified(got, everything) for got in arrived(receiver, "/all", 3)), key=lambda each: each["sequence"]
        )
        assert [(each["type"], each["subjectId"]) for each in told] == [
            ("webhook.created", everything["id"]),
            ("webhook.created", flaky["id"]),
            ("project.created", project),
        ]
        again = arrived(receiver, "/flaky", 3)
        assert {(verified(got, flaky)["type"], got.id) for got in again} == {
            ("project.created", told[2]["id"]),
            ("webhook.ping", test["eventId"]),
        }

        def all_delivered() -> list[dict[str, Any]]:
            found = owner.deliveries(flaky)
            return found if all(each["status"] == "delivered" for each in found) else []

        delivered = wait_until(all_delivered, seconds=ARRIVE_SECONDS, what="both are delivered")
        assert sorted(each["attempts"] for each in delivered) == [1, 2]
        assert {each["responseStatus"] for each in delivered} == {204}
    log = server.log.read_text()
    assert everything["secret"] not in log
    assert everything["secret"].removeprefix("whsec_").encode() not in (tmp_path / "server" / "spunto.db").read_bytes()


@pytest.mark.long
def test_the_command_line_makes_tests_and_ends_one_whose_secret_outlives_the_keys(
    tmp_path: Path, receiver: Receiver
) -> None:
    cli, url = CommandLine(home=tmp_path / "home"), f"http://127.0.0.1:{receiver.port}/cli"
    with serving(tmp_path, environment=ENVIRONMENT) as (server, _):
        cli.run("login", "--url", server.url, "--token-file", str(server.owner_token_file))
        made = cli.run("webhook", "create", url, "--event", "node.offline", "--description", "CI", "--json").json()
        cli.run("webhook", "test", url)
        verified(arrived(receiver, "/cli", 1)[0], made)

        # The keys are changed under the running server, and the old one is taken away.
        cli.run("keys", "rotate", SPUNTO_DATA_DIR=str(server.data_dir))
        keyring = server.data_dir / "keyring"
        keyring.write_text(keyring.read_text().splitlines()[0] + "\n")
        status = cli.run("keys", "status", SPUNTO_DATA_DIR=str(server.data_dir)).out
        sent = cli.run("webhook", "test", made["id"], "--json").json()
        verified(arrived(receiver, "/cli", 2)[1], made)
        cli.run("webhook", "redeliver", url, sent["id"])
        again = arrived(receiver, "/cli", 3)[2]

        assert status.split()[1:] == ["current", "1", "secrets"]
        assert again.id == sent["eventId"]
        assert cli.run("webhook", "show", url).out.splitlines()[:4] == [
            f"url:          {url}", "description:  CI", "events:       node.offline", "state:        enabled",
        ]  # fmt: skip
        assert "webhook.ping" in cli.run("webhook", "deliveries", url).out
        assert cli.run("webhook", "deliveries", url, "--status", "failed", "--json").json()["items"] == []
        rotated = cli.run("webhook", "rotate-secret", url, "--json").json()
        assert rotated["secret"] not in ("", made["secret"])
        updated = cli.run("webhook", "update", url, "--all-events", "--disable", "--json").json()
        assert (updated["events"], updated["enabled"], updated["description"]) == (None, False, "CI")
        cli.run("webhook", "test", url, code=5)
        cli.run("webhook", "create", "https://127.0.0.1@x/", code=2)
        cli.run("webhook", "delete", url)
        assert cli.run("webhook", "list", "--json").json()["items"] == []


def test_a_receiver_that_does_not_answer_holds_nobody_else_up(tmp_path: Path, receiver: Receiver) -> None:
    gate = threading.Event()

    def answer(path: str, count: int) -> tuple[int, Mapping[str, str]]:
        if path.startswith("/slow"):
            gate.wait(60)
        return 204, {}

    receiver.answer = answer
    url = f"http://127.0.0.1:{receiver.port}"
    try:
        with serving(tmp_path, environment=ENVIRONMENT) as (_, owner):
            for number in range(10):
                owner.webhook(f"{url}/slow{number}")
            owner.webhook(f"{url}/quick", "project.created")
            wait_until(lambda: len(receiver.got) >= 10, seconds=ARRIVE_SECONDS, what="the slow ones are asked")

            for count in range(1, 4):
                owner.project(f"p{count}")
                # Less than a slow one may take.
                arrived(receiver, "/quick", count, seconds=5)
            gate.set()
    finally:
        gate.set()


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_server_that_is_killed_while_it_sends_loses_nothing(
    tmp_path: Path, receiver: Receiver, request: pytest.FixtureRequest, database: str
) -> None:
    database_url = None if database == "sqlite" else str(request.getfixturevalue("postgres_database"))
    gate = threading.Event()

    def answer(path: str, count: int) -> tuple[int, Mapping[str, str]]:
        gate.wait(60)
        return 204, {}

    receiver.answer = answer
    try:
        with serving(tmp_path, database_url=database_url, environment=ENVIRONMENT) as (server, owner):
            webhook = owner.webhook(f"http://127.0.0.1:{receiver.port}/", "project.created")
            wanted = [owner.project(f"p{number}") for number in range(12)]
            arrived(receiver, "/", 1)
            server.kill()
            gate.set()
            server.start()
            server.wait_ready()

            def all_told() -> bool:
                return {verified(got, webhook)["subjectId"] for got in receiver.got} >= set(wanted) and all(
                    each["status"] == "delivered" for each in owner.deliveries(webhook)
                )

            wait_until(all_told, seconds=AFTER_DEATH_SECONDS, what=f"{len(receiver.got)} of {len(wanted)} projects")
            assert len(owner.deliveries(webhook)) == len({got.id for got in receiver.got}) == len(wanted)
    finally:
        gate.set()


def test_by_https_a_receiver_is_known_by_its_certificate(tmp_path: Path) -> None:
    context, root = server_context(tmp_path, "127.0.0.1")
    environment = {**ENVIRONMENT, "SSL_CERT_FILE": str(root)}
    with receiving(tls=context) as receiver, serving(tmp_path, environment=environment) as (_, owner):
        webhook = owner.webhook(f"https://127.0.0.1:{receiver.port}/tls")

        [got] = arrived(receiver, "/tls", 1)

        assert verified(got, webhook)["type"] == "webhook.created"


def test_where_no_network_is_allowed_this_machine_is_not_connected_to(tmp_path: Path, receiver: Receiver) -> None:
    with serving(tmp_path) as (_, owner):
        webhook = owner.webhook(f"https://localhost:{receiver.port}/")

        [delivery] = wait_until(
            lambda: [each for each in owner.deliveries(webhook) if each["error"]],
            seconds=ARRIVE_SECONDS,
            what="the delivery has failed",
        )

        assert delivery["error"]["code"] == "address_not_allowed"
        assert (delivery["status"], delivery["attempts"], receiver.got) == ("pending", 1, [])
