"""Real things for generated requests to be about: ids of what exists, fresh ones for what a request uses up."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.fixtures.live import Live
from tests.fixtures.waiting import wait_until

from spunto.core.access.model import UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.orgs.model import Membership, User

IMAGE: Final = "localhost/spunto/worker:1"

_PORT: Final = 3000


class Seed:
    """Makes things through the API itself, as the owner."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._numbers = itertools.count(1)
        self._http = httpx.Client(base_url=live.url, headers=live.bearer, timeout=30)
        self._shared: dict[str, str] = {}
        self._makers: Mapping[str, Callable[[], str]] = {
            "orgId": lambda: live.organization.id,
            "projectId": self._project,
            "workerId": self._worker,
            "nodeId": self._node,
            "userId": self._member,
            "invitationId": self._invitation,
            "keyId": self._key,
            "secretId": self._secret,
            "orgSecretId": self._org_secret,
            "sshKeyId": self._ssh_key,
            "webhookId": self._webhook,
            "deliveryId": self._delivery,
            "token": lambda: "not-an-invitation",
            "number": lambda: "1",
            "port": lambda: str(_PORT),
            "linkId": self._link,
            "session": lambda: "0" * 32,
            "name": lambda: "swagger-ui.css",
        }

    def close(self) -> None:
        self._http.close()

    def ids(self, names: list[str], *, uses_up: bool) -> dict[str, str]:
        """Values for the path's parameters; with `uses_up` the last one is of a thing made for this request alone."""
        found = {name: self.shared(name) for name in names[: -1 if uses_up else None]}
        return found | ({names[-1]: self._fresh(names[-1])} if uses_up and names else {})

    def shared(self, name: str) -> str:
        """The one that all requests are about which don't use it up."""
        if name not in self._shared:
            self._shared[name] = self._live.node.id if name == "nodeId" else self._makers[name]()
            if name == "workerId":
                self._await_ready(self._shared[name])
        return self._shared[name]

    def token(self) -> str:
        """A session's token of somebody whose sessions nobody else needs."""
        return self._live.call(self._live.spunto.access.open_session(UserId(self._member()))).token.reveal()

    def _fresh(self, name: str) -> str:
        # An organization that nothing depends on.
        return self._organization() if name == "orgId" else self._makers[name]()

    def _link(self) -> str:
        worker = self.shared("workerId")
        path = f"{self._org}/workers/{worker}/ports/{_PORT}/links"
        return str(self._made(path, {})["id"])

    def _made(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.text}"
        made: dict[str, Any] = answer.json()
        return made

    def _name(self) -> str:
        return f"seed-{next(self._numbers)}"

    @property
    def _org(self) -> str:
        return f"/api/orgs/{self._live.organization.id}"

    def _organization(self) -> str:
        return str(self._made("/api/orgs", {"name": self._name(), "slug": self._name()})["id"])

    def _project(self) -> str:
        return str(self._made(f"{self._org}/projects", {"name": self._name(), "image": IMAGE})["id"])

    def _worker(self) -> str:
        path = f"{self._org}/projects/{self.shared('projectId')}/workers"
        self._make_room()
        return str(self._made(path, {"name": self._name()})["id"])

    def _make_room(self) -> None:
        """Earlier requests may have changed what the node offers, and to whom."""
        node = f"{self._org}/nodes/{self.shared('nodeId')}"
        self._http.patch(node, json={"limits": None, "labels": None}).raise_for_status()

    def _await_ready(self, worker_id: str) -> None:
        path = f"{self._org}/projects/{self.shared('projectId')}/workers/{worker_id}"
        wait_until(lambda: self._http.get(path).json()["state"] == "ready", seconds=30, what="a worker to be ready")

    def _node(self) -> str:
        return str(self._made(f"{self._org}/nodes", {"name": self._name()})["node"]["id"])

    def _member(self) -> str:
        return self._live.call(self._added_member())

    async def _added_member(self) -> UserId:
        """Somebody new in the organization, as an invitation would make them."""
        ids, now = TimeOrderedIds(SystemClock()), SystemClock().now()
        name = self._name()
        user = User(id=UserId(ids.new("usr")), name=name, email=f"{name}@example.org", created_at=now)
        org_id = self._live.organization.id
        async with self._live.spunto._store() as tx:
            await tx.members.add_user(user)
            await tx.members.add(Membership(org_id=org_id, user_id=user.id, role=Role.MEMBER, joined_at=now))
            await tx.commit()
        return user.id

    def _invitation(self) -> str:
        return str(self._made(f"{self._org}/invites", {"email": f"{self._name()}@example.org", "role": "member"})["id"])

    def _key(self) -> str:
        body = {"name": self._name(), "ownerType": "user", "scopes": ["org:read"]}
        return str(self._made(f"{self._org}/api-keys", body)["id"])

    def _secret(self) -> str:
        return str(self._made("/api/users/me/secrets", {"name": f"SEED_{next(self._numbers)}", "value": "x"})["id"])

    def _org_secret(self) -> str:
        body = {"name": f"SEED_{next(self._numbers)}", "value": "x"}
        return str(self._made(f"{self._org}/secrets", body)["id"])

    def _ssh_key(self) -> str:
        key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        return str(self._made("/api/users/me/ssh-keys", {"publicKey": key.decode(), "name": self._name()})["id"])

    def _webhook(self) -> str:
        # Requests made some, too, and there may only be so many.
        for webhook in self._http.get(f"{self._org}/webhooks").json()["items"]:
            if webhook["id"] != self._shared.get("webhookId"):
                self._http.delete(f"{self._org}/webhooks/{webhook['id']}")
        return str(self._made(f"{self._org}/webhooks", {"url": "https://hooks.invalid/"})["id"])

    def _delivery(self) -> str:
        webhook = f"{self._org}/webhooks/{self.shared('webhookId')}"
        # What was asked before may have switched it off.
        self._http.patch(webhook, json={"enabled": True}).raise_for_status()
        return str(self._made(f"{webhook}/test", {})["id"])
