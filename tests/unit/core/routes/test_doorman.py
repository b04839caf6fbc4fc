"""Who is let in, by what, and that nothing of it outlives its ground."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER
from tests.unit.core.memory import Memory
from tests.unit.core.routes.edge_door import ADDRESSES

from spunto.core.access.api_keys import OwnerType
from spunto.core.access.model import Actor, UserId
from spunto.core.access.policy import Role, Scope
from spunto.core.access.sessions import Opened
from spunto.core.kernel.errors import Forbidden, NotFound, SpuntoError, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import (
    Access,
    Allowed,
    ByPass,
    ByToken,
    Denied,
    Redeem,
    Redeemed,
    Verdict,
    nonce_hash,
)
from spunto.core.routes.desired import Sharing
from spunto.core.routes.doorman import CODE_LIFETIME, Doorman
from spunto.core.workers.model import Worker
from spunto.core.workers.sharing import MAX_LINK_SECONDS, WorkerSharing

PORT = 3000
NONCE = Secret("nonce")
ENDED = Denied(code="credential_not_good", status=401)


class House:
    """A worker of the owner's, and who stands at its door."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.worker: Worker
        self.doorman = Doorman(
            memory.racing,
            recognise=memory.access.authenticate,
            auditor=memory.auditor,
            clock=memory.clock,
            base_domain=ADDRESSES.addresses.base_domain,
        )
        self.sharing = WorkerSharing(
            memory.racing,
            auditor=memory.auditor,
            clock=memory.clock,
            ids=memory.ids,
            addresses=ADDRESSES.addresses,
        )

    async def build(self) -> None:
        await self.memory.add_node()
        project = await self.memory.add_project()
        self.worker = (await self.memory.workers.spawn(self.memory.owner, ORG, project.id)).worker

    @property
    def host(self) -> str:
        return ADDRESSES.addresses.host_of(self.worker.index, self.worker.id, PORT)

    async def share(self, sharing: Sharing) -> None:
        await self.sharing.share(self.memory.owner, ORG, None, self.worker.id, PORT, sharing)

    async def ask(self, by: ByPass | ByToken, *, port: int = PORT) -> Verdict:
        [verdict] = await self.doorman.verdicts([Access(subject_id=self.worker.id, port=port, by=by)])
        return verdict

    async def signed_in(self, user_id: UserId = USER) -> tuple[Actor, Opened]:
        opened = await self.memory.access.open_session(user_id)
        return await self.memory.access.authenticate(opened.token), opened

    async def code(self, actor: Actor) -> Secret:
        return await self.doorman.issue_code(actor, await self.doorman.door_at(self.host), nonce=nonce_hash(NONCE))

    async def redeem(self, code: Secret, *, host: str | None = None, nonce: Secret = NONCE) -> Redeemed:
        return await self.doorman.redeem(Redeem(host=host or self.host, code=code, nonce=nonce))

    async def link(self, *, seconds: int = 3600) -> tuple[str, Secret]:
        owner, _ = await self.signed_in()
        link, url = await self.sharing.create_link(owner, ORG, None, self.worker.id, PORT, seconds=seconds)
        return link.id, Secret(url.reveal().partition("token=")[2])


@pytest.fixture
async def house(memory: Memory) -> House:
    house = House(memory)
    await house.build()
    return house


async def test_a_code_leads_its_session_in_once(house: House) -> None:
    actor, opened = await house.signed_in()
    code = await house.code(actor)

    assert await house.redeem(code) == Redeemed(by=opened.session.id, subject_id=house.worker.id)
    assert await refusal(house.redeem(code)) == "code_not_good"
    assert await house.ask(ByPass(pass_id=opened.session.id)) == Allowed(
        by=opened.session.id, user_id=USER, may_wake=True
    )


async def test_of_many_who_redeem_a_code_one_gets_in(house: House) -> None:
    actor, _ = await house.signed_in()
    code = await house.code(actor)

    tried = await asyncio.gather(*(house.redeem(code) for _ in range(20)), return_exceptions=True)

    assert len([each for each in tried if isinstance(each, Redeemed)]) == 1


async def test_a_code_is_good_for_a_minute_at_one_host_with_one_nonce(house: House) -> None:
    actor, _ = await house.signed_in()
    late = await house.code(actor)
    house.memory.clock.advance(CODE_LIFETIME.total_seconds())

    assert await refusal(house.redeem(late)) == "code_not_good"
    elsewhere = house.host.replace(str(PORT), "3001")
    for host, nonce in ((elsewhere, NONCE), (None, Secret("other"))):
        code = await house.code(actor)
        assert await refusal(house.redeem(code, host=host, nonce=nonce)) == "code_not_good"
        assert await refusal(house.redeem(code)) == "code_not_good"


@pytest.mark.parametrize(
    "host",
    ["", "spunto.localhost", "w.localhost", "evil.example", "worker-1-00000000000000000000000000-3000.w.localhost"],
)
async def test_only_hosts_of_workers_get_codes(house: House, host: str) -> None:
    actor, _ = await house.signed_in()

    with pytest.raises(NotFound):
        await house.doorman.issue_code(actor, await house.doorman.door_at(host), nonce="n")


async def test_a_host_with_another_number_is_no_host_of_the_worker(house: House) -> None:
    actor, _ = await house.signed_in()
    host = house.host.replace("worker-1-", "worker-2-")

    with pytest.raises(NotFound):
        await house.doorman.issue_code(actor, await house.doorman.door_at(host), nonce="n")


async def test_who_may_not_enter_gets_no_code_and_no_key_does(house: House) -> None:
    member, _ = await house.signed_in(OTHER_USER)
    key = await a_key(house, OwnerType.USER)

    assert await refusal(house.code(member)) == "not_owner"
    assert await refusal(house.code(await house.memory.access.authenticate(key))) == "session_required"


async def test_a_revoked_session_is_refused_at_the_next_question(house: House) -> None:
    actor, opened = await house.signed_in()
    by = ByPass(pass_id=opened.session.id)
    assert isinstance(await house.ask(by), Allowed)

    await house.memory.sessions.end(actor)

    assert await house.ask(by) == ENDED


async def test_a_session_that_is_unknown_or_idle_for_too_long_is_refused(house: House) -> None:
    _, opened = await house.signed_in()
    house.memory.clock.advance(timedelta(hours=25).total_seconds())

    assert await house.ask(ByPass(pass_id=opened.session.id)) == ENDED
    assert await house.ask(ByPass(pass_id=house.memory.ids.new("ses"))) == ENDED
    assert await house.ask(ByPass(pass_id="nonsense")) == ENDED


async def test_work_in_the_browser_keeps_the_session(house: House) -> None:
    _, opened = await house.signed_in()
    by = ByPass(pass_id=opened.session.id)

    for _ in range(3):
        house.memory.clock.advance(timedelta(hours=20).total_seconds())
        assert isinstance(await house.ask(by), Allowed)


async def test_a_removed_member_is_refused_at_the_next_question(house: House) -> None:
    await house.share(Sharing.ORG)
    _, opened = await house.signed_in(OTHER_USER)
    by = ByPass(pass_id=opened.session.id)
    assert isinstance(await house.ask(by), Allowed)

    await house.memory.members.remove(house.memory.owner, ORG, OTHER_USER)

    assert await house.ask(by) == Denied(code="worker_not_found", status=404)


async def test_sharing_that_is_taken_back_is_refused_at_the_next_question(house: House) -> None:
    await house.share(Sharing.ORG)
    _, opened = await house.signed_in(OTHER_USER)
    by = ByPass(pass_id=opened.session.id)
    assert isinstance(await house.ask(by), Allowed)
    assert await house.ask(by, port=PORT + 1) == Denied(code="not_owner", status=403)

    await house.share(Sharing.OWNER)

    assert await house.ask(by) == Denied(code="not_owner", status=403)


async def test_a_key_gets_in_by_its_token_until_it_is_revoked(house: House) -> None:
    token = await a_key(house, OwnerType.USER, Scope.WORKERS_EXEC)
    allowed = await house.ask(ByToken(token=token))
    assert isinstance(allowed, Allowed)
    assert (allowed.by[:4], allowed.user_id) == ("key_", USER)

    actor, _ = await house.signed_in()
    await house.memory.api_keys.revoke(actor, ORG, allowed.by)  # type: ignore[arg-type]  # it is the key's

    assert await house.ask(ByToken(token=token)) == ENDED


async def test_a_key_without_the_scope_stays_outside(house: House) -> None:
    token = await a_key(house, OwnerType.USER, Scope.WORKERS_WRITE)

    assert await house.ask(ByToken(token=token)) == Denied(code="missing_scope", status=403)


async def test_an_admin_in_the_worker_of_a_key_is_noted_once_a_session(house: House) -> None:
    robot = await house.memory.access.authenticate(await a_key(house, OwnerType.ORG, Scope.ALL))
    project = await house.memory.add_project("robots")
    house.worker = (await house.memory.workers.spawn(robot, ORG, project.id)).worker
    for _ in range(2):
        _, opened = await house.signed_in()
        for _ in range(3):
            assert isinstance(await house.ask(ByPass(pass_id=opened.session.id)), Allowed)
            house.memory.clock.advance(600)

    assert (await house.memory.audit())["worker.enter"] == 2


async def test_a_link_leads_in_whoever_has_it_until_it_ends(house: House) -> None:
    link_id, token = await house.link(seconds=600)

    redeemed = [await house.doorman.redeem(Redeem(host=house.host, link=token)) for _ in range(2)]

    ends_at = house.memory.clock.now() + timedelta(seconds=600)
    assert redeemed == [Redeemed(by=link_id, subject_id=house.worker.id, expires_at=ends_at)] * 2
    by = ByPass(pass_id=link_id)
    assert await house.ask(by) == Allowed(by=link_id, user_id=None, may_wake=False)
    assert await house.ask(by, port=PORT + 1) == Denied(code="link_not_good", status=401)
    house.memory.clock.advance(600)
    assert await house.ask(by) == Denied(code="link_not_good", status=401)
    assert await refusal(house.doorman.redeem(Redeem(host=house.host, link=token))) == "link_not_good"


async def test_a_link_is_redeemed_at_its_own_host_alone(house: House) -> None:
    _, token = await house.link()
    hosts = [house.host.replace(str(PORT), "3001"), "evil.example", house.host.replace(house.worker.id[4:], "0" * 26)]

    refusals = [await refusal(house.doorman.redeem(Redeem(host=host, link=token))) for host in hosts]

    assert refusals == ["link_not_good"] * 3
    assert await refusal(house.doorman.redeem(Redeem(host=house.host, link=Secret("spl_no")))) == "link_not_good"


async def test_a_revoked_link_is_refused_at_the_next_question(house: House) -> None:
    link_id, token = await house.link()
    owner, _ = await house.signed_in()
    [listed] = await house.sharing.links(owner, ORG, None, house.worker.id, PORT)

    await house.sharing.revoke_link(owner, ORG, None, house.worker.id, PORT, listed.id)

    assert await house.ask(ByPass(pass_id=link_id)) == Denied(code="link_not_good", status=401)
    assert await refusal(house.doorman.redeem(Redeem(host=house.host, link=token))) == "link_not_good"
    assert await house.sharing.links(owner, ORG, None, house.worker.id, PORT) == []


async def test_a_link_dies_with_the_membership_of_whoever_made_it(house: House) -> None:
    member, _ = await house.signed_in(OTHER_USER)
    project = await house.memory.add_project("theirs")
    house.worker = (await house.memory.workers.spawn(member, ORG, project.id)).worker
    link, url = await house.sharing.create_link(member, ORG, None, house.worker.id, PORT)
    token = Secret(url.reveal().partition("token=")[2])
    assert isinstance(await house.ask(ByPass(pass_id=link.id)), Allowed)

    await house.memory.members.remove(house.memory.owner, ORG, OTHER_USER)

    assert await house.ask(ByPass(pass_id=link.id)) == Denied(code="link_not_good", status=401)
    assert await refusal(house.doorman.redeem(Redeem(host=house.host, link=token))) == "link_not_good"


async def test_nothing_leads_to_what_is_gone(house: House) -> None:
    link_id, _ = await house.link()
    _, opened = await house.signed_in()

    await house.memory.workers.destroy(house.memory.owner, ORG, None, house.worker.id)

    for by in (ByPass(pass_id=opened.session.id), ByPass(pass_id=link_id)):
        assert await house.ask(by) == Denied(code="worker_not_found", status=404)


async def test_questions_together_are_answered_each_in_its_place(house: House) -> None:
    _, owner = await house.signed_in()
    _, member = await house.signed_in(OTHER_USER)
    asked = [
        Access(subject_id=subject_id, port=PORT, by=ByPass(pass_id=session_id))
        for subject_id, session_id in (
            (house.worker.id, member.session.id),
            (house.worker.id, owner.session.id),
            ("wkr_none", owner.session.id),
        )
    ]

    verdicts = await house.doorman.verdicts(asked)

    assert verdicts == [
        Denied(code="not_owner", status=403),
        Allowed(by=owner.session.id, user_id=USER, may_wake=True),
        Denied(code="worker_not_found", status=404),
    ]


async def test_only_who_may_start_it_wakes_it(house: House) -> None:
    await house.share(Sharing.ORG)
    link_id, _ = await house.link()
    _, owner = await house.signed_in()
    _, member = await house.signed_in(OTHER_USER)

    actor, route = await house.doorman.waker(house.worker.id, ByPass(pass_id=owner.session.id))

    assert (actor.user_id, route.id) == (USER, house.worker.id)
    with pytest.raises(Forbidden):
        await house.doorman.waker(house.worker.id, ByPass(pass_id=member.session.id))
    with pytest.raises(Unauthenticated):
        await house.doorman.waker(house.worker.id, ByPass(pass_id=link_id))
    with pytest.raises(NotFound):
        await house.doorman.waker("wkr_none", ByPass(pass_id=owner.session.id))


async def test_members_share_nothing_of_others_and_admins_take_back(house: House) -> None:
    admin = replace(house.memory.member, roles={ORG: Role.ADMIN})
    member = house.memory.member
    await house.share(Sharing.PUBLIC)
    worker_id = house.worker.id

    for actor in (member, admin):
        assert await refusal(house.sharing.share(actor, ORG, None, worker_id, 4000, Sharing.ORG)) == "not_owner"
        assert await refusal(house.sharing.create_link(actor, ORG, None, worker_id, PORT)) == "not_owner"
    assert await refusal(house.sharing.share(member, ORG, None, worker_id, PORT, Sharing.OWNER)) == "not_owner"
    assert await refusal(house.sharing.links(member, ORG, None, worker_id, PORT)) == "not_owner"
    taken_back = await house.sharing.share(admin, ORG, None, worker_id, PORT, Sharing.OWNER)

    assert taken_back.sharing is Sharing.OWNER
    async with house.memory.store.reading() as tx:
        route = await tx.routes.find(worker_id)
    assert route is not None
    assert route.sharing == {}


async def test_sharing_and_links_are_audited(house: House) -> None:
    await house.share(Sharing.PUBLIC)
    await house.share(Sharing.PUBLIC)
    await house.link()

    audited = await house.memory.audit()
    assert (audited["worker.share"], audited["worker_link.create"]) == (1, 1)


@pytest.mark.parametrize("seconds", [0, -1, MAX_LINK_SECONDS + 1])
async def test_a_link_has_an_end(house: House, seconds: int) -> None:
    assert await refusal(house.link(seconds=seconds)) == "link_too_long"


async def refusal(trying: Awaitable[object]) -> str:
    try:
        await trying
    except SpuntoError as error:
        return error.code
    return "nothing was refused"


async def a_key(house: House, owner_type: OwnerType, *scopes: Scope) -> Secret:
    owner, _ = await house.signed_in()
    made = await house.memory.api_keys.create(
        owner, ORG, name="k", owner_type=owner_type, scopes=frozenset(scopes or {Scope.ALL})
    )
    return made.token


async def test_each_refusal_is_its_own_and_keeps_nothing_of_those_before(house: House) -> None:
    refused = []
    for question in [Redeem(host=house.host, code=Secret("x"), nonce=NONCE), Redeem(host=house.host, link=Secret("x"))]:
        for _ in range(2):
            with pytest.raises(Unauthenticated) as each:
                await house.doorman.redeem(question)
            refused.append(each.value)

    assert len(set(map(id, refused))) == 4
