"""One organization's roles under any order of changes by anybody: somebody always owns it, and rules hold."""

import asyncio
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.unit.core.builders import ORG, OTHER_USER, USER, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.model import UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound
from spunto.core.orgs.model import Membership, User

PEOPLE = (USER, OTHER_USER, *(UserId(f"usr_0000000000000000000000000{number}") for number in range(2, 4)))
ROLES = {Role.OWNER: 2, Role.ADMIN: 1, Role.MEMBER: 0}
people, roles = st.sampled_from(PEOPLE), st.sampled_from(list(Role))


class Roles(RuleBasedStateMachine):
    """`held` is what the organization should look like, kept by a second telling of the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.memory = Memory()
        self.held = {USER: Role.OWNER, OTHER_USER: Role.MEMBER}
        self.runner.run(self.memory.populate())
        self.runner.run(self._register())

    async def _register(self) -> None:
        async with self.memory.store() as tx:
            for person in PEOPLE[2:]:
                user = User(id=person, name="x", email=f"{person}@example.org", created_at=self.memory.clock.now())
                await tx.members.add_user(user)
            await tx.commit()

    @rule(person=people, role=roles)
    def join(self, person: UserId, role: Role) -> None:
        if person not in self.held:
            self.runner.run(self._join(person, role))
            self.held[person] = role

    async def _join(self, person: UserId, role: Role) -> None:
        async with self.memory.store() as tx:
            joined_at = self.memory.clock.now()
            await tx.members.add(Membership(org_id=ORG, user_id=person, role=role, joined_at=joined_at))
            await tx.commit()

    # `believed` is the role that the actor came with, which may be long out of date.
    @rule(by=people, believed=roles, person=people, role=roles)
    def change_role(self, by: UserId, believed: Role, person: UserId, role: Role) -> None:
        may = self._rank(by) >= 1 and person in self.held
        if Role.OWNER in (role, self.held.get(person)):
            may = may and self._rank(by) == 2
        stays = role is Role.OWNER or self._others_own(person)

        if self._done(self.memory.members.change_role(an_actor(user_id=by, role=believed), ORG, person, role)):
            assert may
            assert stays
            self.held[person] = role
        elif ROLES[believed] >= 1:
            assert not (may and stays)

    @rule(by=people, believed=roles, person=people)
    def remove(self, by: UserId, believed: Role, person: UserId) -> None:
        may = person in self.held and by in self.held
        if by != person:
            may = may and self._rank(by) >= (2 if self.held.get(person) is Role.OWNER else 1)
        stays = self._others_own(person)

        if self._done(self.memory.members.remove(an_actor(user_id=by, role=believed), ORG, person)):
            assert may
            assert stays
            del self.held[person]
        else:
            assert not (may and stays)

    @invariant()
    def somebody_owns_it(self) -> None:
        assert Role.OWNER in self.held.values()

    @invariant()
    def the_store_agrees(self) -> None:
        assert self.runner.run(self._stored()) == self.held

    def teardown(self) -> None:
        self.runner.close()

    async def _stored(self) -> dict[UserId, Role]:
        async with self.memory.store.reading() as tx:
            found = {person: (await tx.grants.roles_of(person)).get(ORG) for person in PEOPLE}
        return {person: role for person, role in found.items() if role is not None}

    def _done(self, change: object) -> bool:
        with suppress(Forbidden, Conflict, NotFound):
            self.runner.run(change)  # type: ignore[arg-type]  # a coroutine of either use case
            return True
        return False

    def _rank(self, person: UserId) -> int:
        return ROLES[self.held[person]] if person in self.held else -1

    def _others_own(self, person: UserId) -> bool:
        return any(role is Role.OWNER for other, role in self.held.items() if other != person)


TestRoles = Roles.TestCase
TestRoles.settings = settings(max_examples=min(60, settings().max_examples), stateful_step_count=50, deadline=None)
