"""Who is where, what there is, and what each may see of it: kept by hand, for requests in any order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.unit.authorization.decisions import Asker, Target
from tests.unit.authorization.world import ID, NAME, PREFIXES

MARK: Final = re.compile(r"zq\d+qz")
_CONTAINERS: Final = {"workerId": "projectId", "linkId": "workerId", "deliveryId": "webhookId"}
KINDS: Final = {prefix: name for name, prefix in PREFIXES.items()}


@dataclass(slots=True, kw_only=True)
class Club:
    """An organization. `everybody` is whom it has ever had to do with: the feed and the audit log may name them."""

    org_id: str
    mark: str
    roles: dict[str, str] = field(default_factory=dict)
    everybody: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Credential:
    """A session (`scopes` is None) or a key: a person's, or with `user_id` None an organization's."""

    headers: Mapping[str, str]
    user_id: str | None
    org_id: str | None = None
    key_id: str | None = None
    scopes: frozenset[str] | None = None
    is_good: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    kind: str
    org_id: str | None
    owner: str | None = None
    inside: str | None = None


class Society:
    def __init__(self) -> None:
        self.marks: dict[str, str] = {}
        """Of people, by their id."""
        self.clubs: dict[str, Club] = {}
        self.credentials: list[Credential] = []
        self.things: dict[str, Thing] = {}
        self.gone: dict[str, list[str]] = {name: [] for name in PREFIXES}
        self._marks = 0

    def new_mark(self) -> str:
        self._marks += 1
        return f"zq{self._marks}qz"

    # Who somebody is, and what they may see.

    def asker(self, credential: Credential) -> Asker:
        if not self._is_good(credential):
            return Asker(is_good=False)
        if credential.scopes is not None and credential.user_id is None:
            roles = {str(credential.org_id): "admin"}
        else:
            roles = {
                club.org_id: club.roles[credential.user_id]
                for club in self.clubs.values()
                if credential.user_id in club.roles and credential.org_id in (None, club.org_id)
            }
        return Asker(
            is_good=True,
            roles=roles,
            scopes=credential.scopes,
            user_id=credential.user_id,
            key_id=credential.key_id,
        )

    def _is_good(self, credential: Credential) -> bool:
        if credential.scopes is None or not credential.is_good:
            return credential.is_good
        club = self.clubs.get(str(credential.org_id))
        return club is not None and (credential.user_id is None or credential.user_id in club.roles)

    def visible_to(self, asker: Asker) -> set[str]:
        clubs = [self.clubs[org_id] for org_id in asker.roles]
        people = {asker.user_id}.union(*(club.everybody for club in clubs))
        return {club.mark for club in clubs} | {self.marks[person] for person in people if person is not None}

    # What a path names.

    def ids_of(self, name: str) -> list[str]:
        """All that a path may call so, of whichever organization."""
        if name == "orgId":
            return list(self.clubs)
        if name == "userId":
            return list(self.marks)
        return [id_ for id_, thing in self.things.items() if thing.kind == name]

    def target_of(self, template: str, ids: Mapping[str, str]) -> Target:
        named = {name: ids[name] for name in NAME.findall(template) if name in PREFIXES}
        well_formed = all(
            ID.fullmatch(value) and value.startswith(f"{PREFIXES[name]}_") for name, value in named.items()
        )
        org_id = named.pop("orgId", None)
        if "userId" in named:
            club = self.clubs.get(str(org_id))
            role = None if club is None else club.roles.get(named["userId"])
            return Target(
                well_formed=well_formed,
                org_id=org_id,
                exists=role is not None,
                owner=named["userId"],
                owner_is_an_owner=role == "owner",
            )
        if org_id is None and "workerId" in named:
            thing = self.things.get(named["workerId"])
            # A socket names the worker alone, so that a worker nobody knows is in no organization.
            return Target(
                well_formed=well_formed,
                org_id="nowhere" if thing is None else thing.org_id,
                exists=thing is not None,
                owner=None if thing is None else thing.owner,
            )
        found = [self._found(name, value, org_id, ids) for name, value in named.items()]
        last = found[-1] if found else None
        return Target(
            well_formed=well_formed,
            org_id=org_id,
            exists=None not in found,
            owner=None if last is None else last.owner,
        )

    def _found(self, name: str, value: str, org_id: str | None, ids: Mapping[str, str]) -> Thing | None:
        thing = self.things.get(value)
        if thing is None or (thing.kind, thing.org_id) != (name, org_id):
            return None
        return thing if thing.inside is None or thing.inside in ids.values() else None

    # What has become of a request that was let through.

    def learn(self, endpoint: str, asker: Asker, ids: Mapping[str, str], sent: Any, told: Any) -> None:
        method, _, template = endpoint.rpartition(" ")
        org_id = ids["orgId"] if "{orgId}" in template else None
        if method == "DELETE":
            self._forget(template, ids, org_id)
        elif method == "PATCH" and template.endswith("/members/{userId}"):
            self.clubs[ids["orgId"]].roles[ids["userId"]] = sent["role"]
        elif method == "POST" and template == "/api/orgs":
            club = self.clubs[told["id"]] = Club(org_id=told["id"], mark=MARK.findall(sent["name"])[0])
            self.join(club, str(asker.user_id), "owner")
        elif method == "POST" and isinstance(told, dict):
            self._made(asker, ids, org_id, sent, told)

    def join(self, club: Club, user_id: str, role: str) -> None:
        club.roles[user_id] = role
        club.everybody.add(user_id)

    def _made(self, asker: Asker, ids: Mapping[str, str], org_id: str | None, sent: Any, told: dict[str, Any]) -> None:
        id_ = str(told.get("id") or told.get("node", {}).get("id"))
        kind = KINDS.get(id_[:3])
        if kind is None or kind in ("orgId", "userId") or id_ in self.things or id_ in self.gone[kind]:
            return
        owner = asker.user_id or asker.key_id
        if kind == "keyId":
            owner = asker.user_id if sent["ownerType"] == "user" else None
            self.credentials.append(
                Credential(
                    headers={"Authorization": f"Bearer {told['token']}"},
                    user_id=owner,
                    org_id=org_id,
                    key_id=id_,
                    scopes=frozenset(sent["scopes"]),
                )
            )
        if kind == "linkId":
            # Whoever made it, it is its worker's owner's.
            owner = self.things[ids["workerId"]].owner
        inside = ids[_CONTAINERS[kind]] if kind in _CONTAINERS else None
        self.things[id_] = Thing(kind=kind, org_id=org_id, owner=owner, inside=inside)

    def _forget(self, template: str, ids: Mapping[str, str], org_id: str | None) -> None:
        last = NAME.findall(template)[-1]
        if last == "userId":
            user_id = ids["userId"]
            del self.clubs[ids["orgId"]].roles[user_id]
            self._end_keys(lambda key: (key.org_id, key.user_id) == (org_id, user_id))
        elif last == "orgId":
            del self.clubs[ids["orgId"]]
            self.gone["orgId"].append(ids["orgId"])
            self._end_keys(lambda key: key.org_id == org_id)
            for id_ in [id_ for id_, thing in self.things.items() if thing.org_id == org_id]:
                self._end(id_)
        elif last == "keyId":
            self._end_keys(lambda key: key.key_id == ids["keyId"])
        # A worker is there until its node has said that it is gone, and here no node ever comes.
        elif last != "workerId":
            for id_ in [id_ for id_, thing in self.things.items() if thing.inside == ids[last]]:
                self._end(id_)
            self._end(ids[last])

    def _end_keys(self, which: Any) -> None:
        for key in self.credentials:
            if key.key_id is not None and which(key):
                key.is_good = False
                self._end(key.key_id)

    def _end(self, id_: str) -> None:
        if (thing := self.things.pop(id_, None)) is not None:
            self.gone[thing.kind].append(id_)
