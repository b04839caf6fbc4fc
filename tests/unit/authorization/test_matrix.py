"""Every endpoint and socket, for everybody, on own, others', foreign, missing, deleted and malformed things."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.unit.authorization.asking import Answer
from tests.unit.authorization.decisions import BY_A_CREDENTIAL_OF_ITS_OWN, OPEN, RULES, Rule, verdict
from tests.unit.authorization.world import PREFIXES, Principal, World, open_world

from spunto.entrypoints.serving.endpoints import HTTP, WEBSOCKETS

FAMILIES = {
    "people of X": r"(owner|admin|member|other member) of X",
    "people of Y": r"(owner|admin|member|other member) of Y",
    "strangers": r"user of no|removed member",
    "bad credentials": r"anonymous|garbage|another scheme|session that|typing mistake",
    "machines and dead keys": r"node of|(revoked|expired) key|key of a removed",
    "a member's keys": r"member's key for",
    "the organization's keys": r"organization's key for|owner's key",
}
_NAMES = re.compile(r"{(\w+)}")


def described() -> set[str]:
    return {endpoint.partition("?")[0] for endpoint in RULES} | OPEN | BY_A_CREDENTIAL_OF_ITS_OWN


def test_every_endpoint_has_been_decided_on_by_hand() -> None:
    assert (set(HTTP) | set(WEBSOCKETS)) - described() == set()


def routed() -> Iterator[tuple[str, Rule]]:
    for endpoint, rule in RULES.items():
        if endpoint.partition("?")[0] in {**HTTP, **WEBSOCKETS}:
            yield endpoint, rule


def variants(world: World, principal: Principal, template: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What the path may name, each with a name: everything right, or one thing wrong."""
    home = world.homes[principal.home]
    foreign = world.homes["Y" if principal.home == "X" else "X"]
    mine = {**home.ids, "token": "x" * 43, "sshKeyId": world.never["sshKeyId"]}
    mine["secretId"] = home.workers_of[f"secret of {home.ids['userId']}"]
    yield "others'", mine
    own = dict(mine)
    if (worker := home.workers_of.get(principal.name)) is not None:
        own["workerId"] = worker
    if (user := principal.asker.user_id) is not None and principal.asker.roles:
        own["userId"] = user
        own["secretId"] = home.workers_of[f"secret of {user}"]
    if own != mine:
        yield "own", own
    owner = world.principals[f"owner of {principal.home}"].asker.user_id
    if "{userId}" in template and owner is not None:
        yield "an owner", {**mine, "userId": owner}
    for name in _NAMES.findall(template):
        if name not in PREFIXES:
            continue
        theirs = foreign.ids if name == "orgId" else {}
        foreign_id = foreign.ids.get(name, world.never[name])
        yield f"foreign {name}", {**own, **theirs, name: foreign_id}
        yield f"missing {name}", {**own, name: world.never[name]}
        yield f"deleted {name}", {**own, name: home.deleted.get(name, world.never[name])}
        yield f"malformed {name}", {**own, name: "nonsense"}
    if "{workerId}" in template and "{projectId}" in template:
        yield "the wrong project", {**own, "projectId": home.deleted["sibling"]}


def filled(template: str, ids: Mapping[str, str]) -> str:
    return _NAMES.sub(lambda found: ids[found[1]], template)


def told(answer: Answer, ids: Mapping[str, str], template: str) -> tuple[Any, ...]:
    """A refusal without what names this very request."""
    text = answer.body.decode()
    for name in set(_NAMES.findall(template)) & set(PREFIXES):
        text = text.replace(ids[name], "…")
    request_id = answer.headers.get("x-request-id", "")
    kept = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status, sorted(kept.items()), text.replace(request_id, "…")


def outcome(answer: Answer) -> str:
    return str(answer.status) if answer.status in (401, 403, 404) else "ok"


def leaks(world: World, principal: Principal, answer: Answer) -> list[str]:
    foreign = [home for home in world.homes.values() if home.org_id not in principal.asker.roles]
    return [home.mark for home in foreign if home.mark.encode() in answer.body]


def wrong_with(world: World, principal: Principal, case: str, answer: Answer, expected: str) -> Iterator[str]:
    if outcome(answer) != expected or (answer.status >= 500 and answer.status != 503):
        yield f"{case}: {answer.status} {answer.code}, not {expected}"
    for mark in leaks(world, principal, answer):
        yield f"{case}: tells of {mark}"
    if expected == "ok":
        return
    if (changed := set(world.changed()) - {"audit"}) != set():
        yield f"{case}: changed {changed}"
    if len(world.rows()["audit"]) > len(world._kept["audit"]) + 1:
        yield f"{case}: more than its own refusal is in the audit log"
    if world.frames:
        yield f"{case}: the node was told {world.frames}"


@pytest.mark.parametrize("family", FAMILIES)
async def test_everybody_gets_what_was_decided_and_nothing_else(family: str) -> None:
    wrong: list[str] = []
    visits = 0
    async with open_world() as world:
        principals = [each for each in world.principals.values() if re.search(FAMILIES[family], each.name)]
        for principal in principals:
            for endpoint, rule in routed():
                template = endpoint.rpartition(" ")[2]
                refusals: dict[str, tuple[str, tuple[Any, ...]]] = {}
                for variant, ids in variants(world, principal, template):
                    if principal.is_one_of_many and not variant.startswith(("own", "others", "foreign")):
                        continue
                    expected = verdict(rule, principal.asker, world.target_of(template, ids))
                    answer = await world.visit(principal, endpoint, filled(template, ids), rule.body)
                    case = f"{principal.name} · {endpoint} · {variant}"
                    wrong += wrong_with(world, principal, case, answer, expected)
                    kind, _, name = variant.partition(" ")
                    visits += 1
                    if kind in ("foreign", "missing", "deleted"):
                        first = refusals.setdefault(name, (variant, told(answer, ids, template)))
                        if first[1] != told(answer, ids, template):
                            wrong.append(f"{case}: answers otherwise than {first[0]}")
                    await world.put_back()

    assert principals
    assert visits > 100
    assert not wrong, "\n".join(wrong)


async def test_everybody_comes() -> None:
    async with open_world() as world:
        named = set(world.principals)

    assert len(named) >= 19
    assert {name for name in named if not any(re.search(family, name) for family in FAMILIES.values())} == set()
