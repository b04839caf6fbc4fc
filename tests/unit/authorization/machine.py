"""Requests of everybody for everything, in any order: nobody sees a foreign mark, or does what was decided against."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Final, TypeAlias

import hypothesis
import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from tests.unit.authorization.asking import Answer, ask, upgrade
from tests.unit.authorization.decisions import RULES, Rule, verdict
from tests.unit.authorization.society import MARK, Club, Credential, Society
from tests.unit.authorization.world import NAME, PREFIXES, SCOPES
from tests.unit.entrypoints.http.house import House, build_house

OpenHouse: TypeAlias = Callable[[], AbstractAsyncContextManager[House]]

BURST: Final = 20
"""Requests of one step: hypothesis shrinks the steps, and a burst is drawn from one number, which is quick."""
MANY: Final = 12
ROLES: Final = ("member", "admin", "owner")
_ENDS_A_SESSION: Final = "POST /api/auth/logout"
_IDEMPOTENCY: Final = "Idempotency-Key"


class Requests(RuleBasedStateMachine):
    """`tally` counts over all runs, by the status that came; `opening` gives each run a house of its own."""

    tally: ClassVar[Counter[int]] = Counter()
    opening: ClassVar[OpenHouse | None] = None

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._opened = (type(self).opening or in_memory)()
        self._house: House = self._runner.run(self._opened.__aenter__())
        self._society = Society()

    def teardown(self) -> None:
        self._runner.run(self._opened.__aexit__(None, None, None))
        self._runner.close()

    @initialize()
    def begin(self) -> None:
        for _ in range(3):
            self._runner.run(self._arrive())

    @rule()
    def somebody_comes(self) -> None:
        if len(self._society.marks) < MANY:
            self._runner.run(self._arrive())

    @rule(seed=st.integers(min_value=0, max_value=2**32))
    def somebody_joins(self, seed: int) -> None:
        self._runner.run(self._join(random.Random(seed)))

    @rule(seconds=st.integers(min_value=1, max_value=3600))
    def time_passes(self, seconds: int) -> None:
        self._house.clock.advance(seconds)

    @rule(seed=st.integers(min_value=0, max_value=2**32))
    def requests_come(self, seed: int) -> None:
        chance = random.Random(seed)

        async def burst() -> None:
            for _ in range(BURST):
                await self._request(chance)
            await self._house.spunto.refusals.flush()

        self._runner.run(burst())

    async def _arrive(self) -> None:
        mark = self._society.new_mark()
        person = await self._house.person(mark)
        self._society.marks[person.user_id] = mark
        club = Club(org_id=person.org_id, mark=mark)
        self._society.clubs[club.org_id] = club
        self._society.join(club, person.user_id, "owner")
        self._society.credentials.append(Credential(headers=person.bearer, user_id=person.user_id))

    async def _join(self, chance: random.Random) -> None:
        """By an owner's invitation, accepted: what a person belongs to grows, so that less of it is foreign."""
        clubs = list(self._society.clubs.values())
        if not clubs:
            return
        club, user_id = chance.choice(clubs), chance.choice(list(self._society.marks))
        owner = next(person for person, role in club.roles.items() if role == "owner")
        if user_id in club.roles:
            return
        body = {"email": f"{self._society.marks[user_id]}@example.org", "role": chance.choice(ROLES)}
        made = await ask(self._house.app, "POST", f"/api/orgs/{club.org_id}/invites", self._session(owner), body)
        assert made.status == 201, made
        token = orjson.loads(made.body)["url"].rpartition("/")[2]
        joined = await ask(self._house.app, "POST", "/api/invites/accept", self._session(user_id), {"token": token})
        assert joined.status == 200, joined
        self._society.join(club, user_id, body["role"])

    def _somebody(self, chance: random.Random) -> Credential:
        """Mostly whoever still is somebody."""
        credentials = self._society.credentials
        good = [each for each in credentials if self._society.asker(each).is_good]
        return chance.choice(good if good and chance.random() < 0.85 else credentials)

    def _session(self, user_id: str) -> Mapping[str, str]:
        return next(
            each.headers
            for each in self._society.credentials
            if each.user_id == user_id and each.scopes is None and each.is_good
        )

    async def _request(self, chance: random.Random) -> None:
        society = self._society
        credential = self._somebody(chance)
        endpoint = chance.choice(_ENDPOINTS)
        asked = RULES[endpoint]
        method, _, template = endpoint.rpartition(" ")
        asker = society.asker(credential)
        ids = self._ids(chance, template, list(asker.roles))
        body = self._body(chance, endpoint, asked, ids)
        headers = dict(credential.headers)
        if method == "POST" and chance.random() < 0.3:
            headers[_IDEMPOTENCY] = chance.choice(("one", "two"))
        target = society.target_of(template, ids)
        expected = _decided(asked, endpoint, asker, target, body)
        before = society.visible_to(asker)

        path = NAME.sub(lambda found: ids[found[1]], template)
        if endpoint.endswith("/events"):
            path += "?after=0"
        answer = await (
            ask(self._house.app, method, path, headers, body) if method else upgrade(self._house.app, path, headers)
        )

        self.tally[answer.status] += 1
        case = f"{asker} {method} {path} {body}: {answer.status} {answer.body[:300]!r}"
        is_key_refused = _IDEMPOTENCY in headers and b"idempotency_key_unsupported" in answer.body
        if not is_key_refused and not (
            expected in ("ok", "404") and answer.status in self._excused(template, headers, ids)
        ):
            assert _outcome(answer) == expected, f"{expected}, not {case}"
        assert answer.status < 500 or answer.status == 503, case
        if method and answer.status < 300:
            await self._learn(endpoint, credential, ids, body, answer)
        seen = set(MARK.findall(answer.body.decode("utf-8", "replace")))
        foreign = seen - before - society.visible_to(society.asker(credential))
        assert not foreign or asker.is_good is False, f"{foreign} in {case}"
        assert b"never-shown" not in answer.body, case

    def _excused(self, template: str, headers: Mapping[str, str], ids: Mapping[str, str]) -> set[int]:
        """What may be said in place of what was decided, and tells nobody anything."""
        if _IDEMPOTENCY in headers:
            # It was used for something else, or for what is gone again, of which the first answer is given once more.
            is_gone = any(ids[name] in gone for name, gone in self._society.gone.items() if name in ids)
            return {404, 422, 200, 201, 202} if is_gone else {404, 422}
        # An invitation ends with its maker's right to make it, and by another one of the same address.
        return {404} if "{invitationId}" in template else set()

    async def _learn(
        self, endpoint: str, credential: Credential, ids: Mapping[str, str], body: Any, answer: Answer
    ) -> None:
        society = self._society
        if endpoint.endswith("/invites") and body is not None:
            society.clubs[ids["orgId"]].everybody.update(
                person for person, mark in society.marks.items() if mark in body["email"]
            )
        is_json = answer.headers.get("content-type") == "application/json"
        told = orjson.loads(answer.body) if is_json else None
        society.learn(endpoint, society.asker(credential), ids, body, told)
        if endpoint == _ENDS_A_SESSION:
            credential.is_good = False
            assert credential.user_id is not None
            opened = await self._house.access.open_session(credential.user_id)  # type: ignore[arg-type]
            headers = {"Authorization": f"Bearer {opened.token.reveal()}"}
            society.credentials.append(Credential(headers=headers, user_id=credential.user_id))

    def _ids(self, chance: random.Random, template: str, own: list[str]) -> dict[str, str]:
        """Mostly what is together in one organization, mostly one's own; now and then anything of anybody's."""
        society, ids = self._society, {"number": "1", "port": "3000", "session": "0" * 32, "token": "x" * 43}
        clubs = list(society.clubs)
        home = chance.choice(own if own and chance.random() < 0.7 else clubs or [self._house.ids.new("org")])
        for name in NAME.findall(template):
            if name not in PREFIXES:
                continue
            together = [id_ for id_ in society.ids_of(name) if self._is_at(home, id_, ids)]
            anything = society.ids_of(name) + society.gone[name]
            choice = together if together and chance.random() < 0.8 else anything
            ids[name] = chance.choice(choice or [self._house.ids.new(PREFIXES[name])])
        return ids

    def _is_at(self, home: str, id_: str, ids: Mapping[str, str]) -> bool:
        thing = self._society.things.get(id_)
        if thing is None:
            return id_ == home or id_ in self._society.clubs[home].roles if home in self._society.clubs else False
        return thing.org_id in (home, None) and thing.inside in (None, *ids.values())

    def _body(self, chance: random.Random, endpoint: str, asked: Rule, ids: Mapping[str, str]) -> Any:
        """As decided on, with the organization's mark in every text."""
        if asked.body is None:
            return None
        club = self._society.clubs.get(ids.get("orgId", ""))
        mark = self._society.new_mark() if endpoint == "POST /api/orgs" or club is None else club.mark
        body = {**asked.body}
        for name in ("name", "description"):
            if name in body and not endpoint.startswith(("POST /api/users", "PATCH /api/users")):
                body[name] = f"{mark}-{chance.randrange(1000)}"
        if "env" in body or "image" in body:
            body["env"] = {"MARK": mark}
        if endpoint.endswith("/secrets"):
            body |= {"name": f"S{chance.randrange(30)}", "value": "never-shown"}
        if endpoint.endswith("/invites"):
            person = chance.choice(list(self._society.marks.values()))
            body |= {"email": f"{person}@example.org", "role": chance.choice(ROLES)}
        if endpoint.endswith("/members/{userId}"):
            body["role"] = chance.choice(ROLES)
        if endpoint.endswith("/api-keys"):
            body |= {"ownerType": chance.choice(("user", "org")), "scopes": chance.sample(SCOPES, chance.randint(1, 3))}
        if endpoint == "PATCH /api/users/me":
            body.pop("name", None)
        return body


_ENDPOINTS: Final = [each for each in RULES if RULES[each].whose != "unknown" or "{" not in each]


def _decided(asked: Rule, endpoint: str, asker: Any, target: Any, body: Any) -> str:
    """What was decided, and what follows from the role that a body gives or takes."""
    expected = verdict(asked, asker, target)
    if expected != "ok" or target.org_id is None:
        return expected
    role = asker.roles[target.org_id]
    if body is not None and body.get("role") == "owner" and role != "owner":
        return "403"
    if endpoint.endswith("POST /api/orgs/{orgId}/api-keys") and body["ownerType"] == "org" and role == "member":
        return "403"
    return expected


def _outcome(answer: Answer) -> str:
    return str(answer.status) if answer.status in (401, 403, 404) else "ok"


@asynccontextmanager
async def in_memory() -> AsyncIterator[House]:
    yield build_house()


def run_requests(count: int, opening: OpenHouse = in_memory) -> Counter[int]:
    """Run until at least so many requests have been answered; gives them by status. Raises AssertionError."""
    Requests.tally.clear()
    Requests.opening = opening
    settings = hypothesis.settings(
        max_examples=50,
        stateful_step_count=50,
        deadline=None,
        database=None,
        # To make such a run smaller takes minutes, and its last request says what was wrong.
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    while Requests.tally.total() < count:
        run_state_machine_as_test(Requests, settings=settings)
    return Counter(Requests.tally)
