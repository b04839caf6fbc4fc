"""How a terminal or a followed log ends: lost rights, slow readers, a server that stops, a browser that leaves."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.unit.entrypoints.http.site import Site, a_node
from tests.unit.entrypoints.ws.visitor import visit

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.access.model import SessionId
from spunto.core.access.policy import Action
from spunto.core.kernel import errors
from spunto.core.kernel.errors import QuotaExceeded, SpuntoError
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.closing import BUSY, NORMAL, RESTARTING
from spunto.entrypoints.http.errors import STATUS
from spunto.entrypoints.ws import sockets as sockets_module
from spunto.entrypoints.ws import terminal
from spunto.entrypoints.ws.terminal import close_code_of

MIB = 1024**2


async def test_signing_out_ends_what_is_open(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        await site.call("POST", "/api/auth/logout")
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["code"], code) == ("credential_not_good", 4401)


@pytest.mark.parametrize("mode", ["terminal", "logs"])
async def test_a_session_that_was_revoked_elsewhere_ends_within_five_seconds(site: Site, mode: str) -> None:
    await a_node(site)
    worker = await site.worker()
    session = await site.house.access.authenticate(Secret(site.owner.token))

    async with visit(site, worker, f"?mode={mode}") as visitor:
        await visitor.accepted()
        await site.harness.settle()
        async with site.house.store() as tx:
            await tx.sessions.revoke(SessionId(session.credential_id), at=site.house.clock.now())
            await tx.commit()
        await site.harness.advance(5)
        code = await visitor.close_code()

    assert code == 4401


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_revoked_key_ends_what_it_opened_within_five_seconds(site: Site, *, elsewhere: bool) -> None:
    await a_node(site)
    worker = await site.worker()
    keys = f"{site.org}/api-keys"
    made = await site.json("POST", keys, {"name": "CI", "scopes": ["workers:exec"]}, status=201)

    async with visit(site, worker, headers={"Authorization": f"Bearer {made['token']}"}) as visitor:
        await visitor.ready()
        await site.harness.settle()
        if elsewhere:
            tenant = site.harness.owner.require(Action.API_KEY_REVOKE, org_id=site.owner.org_id)
            async with site.house.store() as tx:
                await tx.api_keys.revoke(tenant, made["id"], at=site.house.clock.now())
                await tx.commit()
            await site.harness.advance(5)
        else:
            await site.call("DELETE", f"{keys}/{made['id']}")
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["code"], code) == ("credential_not_good", 4401)


async def test_a_removed_member_s_log_ends(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    bob = await site.member("bob")
    await site.call("PATCH", f"{site.org}/members/{bob.user_id}", {"role": "admin"})

    async with visit(site, worker, "?mode=logs", headers=bob.bearer) as visitor:
        await visitor.accepted()
        await site.call("DELETE", f"{site.org}/members/{bob.user_id}")
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["code"], code) == ("worker_not_found", 4404)


async def test_a_destroyed_worker_s_log_ends(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, "?mode=logs") as visitor:
        await visitor.accepted()
        await site.json("DELETE", worker, status=202)
        await site.harness.settle()
        await site.harness.advance(30)
        code = await visitor.close_code()

    assert code in (NORMAL, 4404)


def endless(written: list[int]) -> Callable[[Process, Sequence[str]], Any]:
    async def flood(process: Process, _: Sequence[str]) -> int:
        while True:
            await process.write("stdout", b"x" * 16_384)
            written.append(16_384)

    return flood


async def test_a_slow_reader_holds_the_program_and_nothing_piles_up(site: Site) -> None:
    written: list[int] = []
    await a_node(site, commands={"flood": endless(written)})
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        visitor.hold()
        await visitor.type("flood\n")
        await site.harness.settle()
        held = sum(written)
        visitor.release()
        for _ in range(10):
            await visitor.hear()
        visitor.hold()
        await site.harness.settle()

    assert 0 < held <= 3 * MIB
    assert sum(written) > held


async def test_input_that_nothing_reads_waits_at_the_browser(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "INPUT_SECONDS", 0.5)
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        visitor.hold()
        await visitor.type("sleep 1000\n")
        for _ in range(200):
            await visitor.type("x" * 48_000)
        await site.harness.settle()
        taken = visitor.taken
        visitor.release()

    assert taken < 100


async def test_input_that_nothing_reads_for_long_ends_the_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "INPUT_SECONDS", 0.01)
    monkeypatch.setattr(terminal, "FAREWELL_SECONDS", 0.01)
    monkeypatch.setattr(sockets_module, "CLOSE_SECONDS", 0.01)
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        visitor.hold()
        await visitor.type("sleep 1000\n")
        for _ in range(200):
            await visitor.type("x" * 48_000)
        assert visitor._task is not None
        await visitor._task

    assert not site.house.sockets._open


async def test_a_stopping_server_closes_everybody_and_lets_nobody_in(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets_module, "CLOSE_SECONDS", 0.01)
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as reader, visit(site, worker) as sleeper:
        await reader.ready()
        await sleeper.ready()
        sleeper.hold()
        await site.house.sockets.close_all(RESTARTING)
        code = await reader.close_code()
        async with visit(site, worker) as late:
            status, problem = await late.refusal()

    assert (code, status, problem["code"]) == (RESTARTING, 503, "server_stopping")


def at_work() -> Counter[str]:
    return Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())


async def test_who_leaves_leaves_nothing_behind(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    await site.harness.advance(700)
    before = at_work()

    for query in ("", "?mode=logs"):
        async with visit(site, worker, query) as visitor:
            await visitor.accepted()
            await site.harness.settle()
    await site.harness.advance(700)

    assert at_work() == before
    assert not site.house.sockets._open


KINDS = {
    errors.Malformed: 4400,
    errors.Unauthenticated: 4401,
    errors.Forbidden: 4403,
    errors.NotFound: 4404,
    errors.Conflict: 4409,
    errors.Invalid: 4422,
    errors.Unavailable: BUSY,
}


@pytest.mark.parametrize(("kind", "code"), KINDS.items())
def test_each_kind_of_error_has_its_close_code(kind: type[SpuntoError], code: int) -> None:
    assert close_code_of(kind("some_code", "Words.")) == code


def test_too_much_has_its_close_code_too() -> None:
    assert close_code_of(QuotaExceeded("too_many_terminals", "Words.", retry_after_seconds=1)) == 4429
    # A socket changes nothing on a condition.
    assert set(KINDS) | {QuotaExceeded, errors.PreconditionFailed} == set(STATUS)
