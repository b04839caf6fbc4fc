"""Visits of everybody to every endpoint and socket, each held against what was decided."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.unit.authorization.asking import Answer
from tests.unit.authorization.decisions import RULES, Rule, verdict
from tests.unit.authorization.world import PREFIXES, Principal, World

from spunto.entrypoints.serving.endpoints import HTTP, WEBSOCKETS

_NAMES = re.compile(r"{(\w+)}")


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
        own["linkId"] = home.workers_of[f"link of {worker}"]
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


async def wrong_with(world: World, principal: Principal, case: str, answer: Answer, expected: str) -> list[str]:
    wrong = list(_wrong_answer(world, principal, case, answer, expected))
    if expected == "ok":
        return wrong
    if (changed := await world.vault.changed() - {world.vault.audit}) != set():
        wrong.append(f"{case}: changed {changed}")
    if await world.vault.refusals() > 1:
        wrong.append(f"{case}: more than its own refusal is in the audit log")
    if world.frames:
        wrong.append(f"{case}: the node was told {world.frames}")
    return wrong


def _wrong_answer(world: World, principal: Principal, case: str, answer: Answer, expected: str) -> Iterator[str]:
    if outcome(answer) != expected or (answer.status >= 500 and answer.status != 503):
        yield f"{case}: {answer.status} {answer.code}, not {expected}"
    for mark in leaks(world, principal, answer):
        yield f"{case}: tells of {mark}"


@dataclass(slots=True, kw_only=True)
class Findings:
    visits: int = 0
    wrong: list[str] = field(default_factory=list)


async def visit_all(world: World, principals: Iterable[Principal], *, one_of: int = 1) -> Findings:
    """Everything that each may name, and what was wrong with the answers; of many, one in so many by chance."""
    found = Findings()
    chance = random.Random(0)
    for principal in principals:
        for endpoint, rule in routed():
            template = endpoint.rpartition(" ")[2]
            refusals: dict[str, tuple[str, tuple[Any, ...]]] = {}
            for variant, ids in variants(world, principal, template):
                if principal.is_one_of_many and not variant.startswith(("own", "others", "foreign")):
                    continue
                if chance.randrange(one_of) > 0:
                    continue
                expected = verdict(rule, principal.asker, world.target_of(template, ids))
                answer = await world.visit(principal, endpoint, filled(template, ids), rule.body)
                case = f"{principal.name} · {endpoint} · {variant}"
                found.visits += 1
                found.wrong += await wrong_with(world, principal, case, answer, expected)
                kind, _, name = variant.partition(" ")
                if kind in ("foreign", "missing", "deleted"):
                    first = refusals.setdefault(name, (variant, told(answer, ids, template)))
                    if first[1] != told(answer, ids, template):
                        found.wrong.append(f"{case}: answers otherwise than {first[0]}")
                await world.put_back()
    return found
