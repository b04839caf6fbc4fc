"""Which secrets a worker is spawned with, and which of them still go to its node when it is told to make it."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER, an_actor, an_environment
from tests.unit.core.memory import Memory

from spunto.adapters.crypto.keyring import new_key
from spunto.core.access.model import Actor, ActorKind, ApiKeyId
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid
from spunto.core.kernel.secret import Secret
from spunto.core.projects.model import Project
from spunto.core.secrets.model import EVERYWHERE, NOWHERE, Consent
from spunto.core.workers.assigned import spec_of
from spunto.core.workers.model import Worker
from spunto.core.workers.secrets import Wishes
from spunto.core.workers.service import NO_WISHES

KEY = Actor(
    kind=ActorKind.API_KEY,
    api_key_id=ApiKeyId("key_1"),
    credential_id="key_1",
    roles={ORG: Role.ADMIN},
    scopes=frozenset({Scope.ALL}),
)


async def spawned(
    memory: Memory, actor: Actor, project: Project, *, secrets: Wishes = NO_WISHES, **wishes: Any
) -> Worker:
    await memory.add_node(f"node of {actor.subject_id} for {project.name} {memory.ids.new('nod')}")
    return (await memory.workers.spawn(actor, ORG, project.id, secrets=secrets, **wishes)).worker


async def sent(memory: Memory, worker: Worker) -> dict[str, str] | None:
    """What its node would be told now; None where it would have to wait."""
    spec = (await memory.assignment(worker.id)).spec
    if spec.secrets_wanted is None:
        return {}
    found = await memory.worker_secrets.values_of(ORG, {worker.id: spec.secrets_wanted.names})
    return {name: value.reveal() for name, value in found[worker.id].items()} if worker.id in found else None


async def test_a_colleague_s_secret_enters_no_foreign_version(memory: Memory) -> None:
    """A member names an admin's secret in a project of their own, with a command that prints it."""
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    trap = await memory.projects.create(
        memory.member, ORG, name="trap", environment=an_environment(secrets=("TOKEN",), post_create_command="env")
    )

    with pytest.raises(Conflict) as caught:
        await spawned(memory, memory.owner, trap)

    assert caught.value.code == "grant_needed"
    assert caught.value.fields["names"] == ["TOKEN"]
    assert caught.value.fields["secrets"] == [{"name": "TOKEN", "reason": "not_granted"}]
    without = await spawned(memory, memory.owner, trap, secrets=Wishes(without=True))
    assert await sent(memory, without) == {}


async def test_an_own_version_gets_it_and_a_foreign_one_of_the_same_project_does_not(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    project = await memory.add_project(secrets=("TOKEN",))
    worker = await spawned(memory, memory.owner, project)
    admin = replace(memory.member, roles={ORG: Role.ADMIN})

    changed = await memory.projects.update(admin, ORG, project.id, {"post_create_command": "env"})

    with pytest.raises(Conflict):
        await spawned(memory, memory.owner, changed)
    assert await sent(memory, worker) == {"TOKEN": "mine"}


async def test_who_is_alone_in_an_organization_trusts_all_its_projects(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    project = await memory.projects.create(KEY, ORG, name="by-key", environment=an_environment(secrets=("TOKEN",)))
    with pytest.raises(Conflict):
        await spawned(memory, memory.owner, project)

    await memory.members.remove(memory.owner, ORG, OTHER_USER)

    assert await sent(memory, await spawned(memory, memory.owner, project)) == {"TOKEN": "mine"}


async def test_a_grant_lets_it_in_and_what_is_taken_back_is_sent_no_more(memory: Memory) -> None:
    secret, _ = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    project = await memory.projects.create(
        memory.member, ORG, name="theirs", environment=an_environment(secrets=("TOKEN",))
    )
    await memory.secrets.let_into(memory.owner, secret.id, Consent(own=True, project_ids=frozenset({project.id})))

    worker = await spawned(memory, memory.owner, project)
    before = await sent(memory, worker)
    await memory.secrets.let_into(memory.owner, secret.id, NOWHERE)

    assert (before, await sent(memory, worker)) == ({"TOKEN": "mine"}, {})


async def test_once_is_for_one_worker(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    project = await memory.projects.create(
        memory.member, ORG, name="theirs", environment=an_environment(secrets=("TOKEN",))
    )

    worker = await spawned(memory, memory.owner, project, secrets=Wishes(granted=("TOKEN",)))

    assert await sent(memory, worker) == {"TOKEN": "mine"}
    with pytest.raises(Conflict):
        await spawned(memory, memory.owner, project)


async def test_only_a_person_with_full_rights_lets_a_secret_in(memory: Memory) -> None:
    project = await memory.add_project(secrets=("TOKEN",))
    narrow = replace(memory.owner, kind=ActorKind.API_KEY, scopes=frozenset({Scope.WORKERS_WRITE}))

    for actor, code in ((narrow, "missing_scope"), (KEY, "user_required")):
        with pytest.raises(Forbidden) as caught:
            await spawned(memory, actor, project, secrets=Wishes(granted=("TOKEN",)))
        assert caught.value.code == code


async def test_what_the_owner_lacks_is_said(memory: Memory) -> None:
    project = await memory.add_project(secrets=("TOKEN",))

    with pytest.raises(Conflict) as caught:
        await spawned(memory, memory.owner, project)

    assert caught.value.fields["secrets"] == [{"name": "TOKEN", "reason": "missing"}]


async def test_the_organization_s_secret_enters_workers_of_its_keys_where_it_is_granted(memory: Memory) -> None:
    secret, _ = await memory.org_secrets.put(memory.owner, ORG, name="TOKEN", value=Secret("ours"))
    project = await memory.add_project(secrets=("TOKEN",))
    with pytest.raises(Conflict):
        await spawned(memory, KEY, project)

    await memory.org_secrets.let_into(memory.owner, ORG, secret.id, Consent(project_ids=frozenset({project.id})))
    of_key, of_member = await spawned(memory, KEY, project), await spawned(memory, memory.member, project)

    assert (await sent(memory, of_key), await sent(memory, of_member)) == ({"TOKEN": "ours"}, {"TOKEN": "ours"})
    assert (await memory.audit(ORG))["org_secret.put"] == 2


async def test_later_wins_of_project_organization_user_and_spawn(memory: Memory) -> None:
    await memory.org_secrets.put(memory.owner, ORG, name="A", value=Secret("org"), consent=EVERYWHERE)
    await memory.org_secrets.put(memory.owner, ORG, name="B", value=Secret("org"), consent=EVERYWHERE)
    await memory.secrets.put(memory.owner, name="B", value=Secret("user"))
    await memory.secrets.put(memory.owner, name="C", value=Secret("user"))
    project = await memory.add_project(secrets=("A", "B", "C"), env={"A": "project", "C": "project", "D": "project"})

    worker = await spawned(memory, memory.owner, project, env={"C": "spawn", "E": "spawn"})

    assert await sent(memory, worker) == {"A": "org", "B": "user"}
    env = spec_of(await memory.assignment(worker.id)).env
    asked = {"A": "project", "C": "spawn", "D": "project", "E": "spawn"}
    assert {name: env.get(name) for name in "ABCDE"} == {**asked, "B": None}


@pytest.mark.parametrize("name", ["SPUNTO_X", "WORKER_SLUG", "BASE_DOMAIN", "PUBLIC_PROTOCOL"])
async def test_platform_names_are_refused(memory: Memory, name: str) -> None:
    project = await memory.add_project()

    for attempt in (
        spawned(memory, memory.owner, project, env={name: "x"}),
        memory.projects.update(memory.owner, ORG, project.id, {"env": {name: "x"}}),
    ):
        with pytest.raises(Invalid) as caught:
            await attempt
        assert caught.value.code == "env_name_reserved"


async def test_nobody_has_values_where_they_are_no_member_any_more(memory: Memory) -> None:
    await memory.secrets.put(memory.member, name="TOKEN", value=Secret("theirs"))
    project = await memory.projects.create(
        memory.member, ORG, name="theirs", environment=an_environment(secrets=("TOKEN",))
    )
    worker = await spawned(memory, memory.member, project)

    await memory.members.remove(memory.owner, ORG, OTHER_USER)

    assert await sent(memory, worker) == {}


async def test_what_can_not_be_read_now_is_waited_for(memory: Memory) -> None:
    await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    project = await memory.add_project(secrets=("TOKEN",))
    worker = await spawned(memory, memory.owner, project)

    memory.keyring._keys = (new_key(),)

    assert await sent(memory, worker) is None


async def test_a_project_is_edited_by_its_creator_and_admins(memory: Memory) -> None:
    theirs = await memory.projects.create(memory.member, ORG, name="theirs", environment=an_environment())
    ours = await memory.add_project()

    for attempt in (
        memory.projects.update(memory.member, ORG, ours.id, {"image": "other"}),
        memory.projects.restore(memory.member, ORG, ours.id, 1),
        memory.projects.delete(memory.member, ORG, ours.id),
    ):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == "not_owner"
    by_key = replace(memory.member, kind=ActorKind.API_KEY, api_key_id=ApiKeyId("key_2"))
    changed = await memory.projects.update(by_key, ORG, theirs.id, {"image": "other"})
    await memory.projects.update(memory.owner, ORG, theirs.id, {"image": "third"})

    async with memory.store.reading() as tx:
        makers = [await tx.projects.maker_of(theirs.id, number) for number in (1, 2, 3)]
    assert (changed.creator_id, makers) == (OTHER_USER, [OTHER_USER, OTHER_USER, USER])


async def test_consent_names_only_projects_that_can_be_seen(memory: Memory) -> None:
    secret, _ = await memory.secrets.put(memory.owner, name="TOKEN", value=Secret("mine"))
    stranger = an_actor(user_id=OTHER_USER, roles={})
    project = await memory.add_project()
    to_project = Consent(project_ids=frozenset({project.id}))

    with pytest.raises(Invalid):
        await memory.secrets.put(stranger, name="TOKEN", value=Secret("x"), consent=to_project)
    with pytest.raises(Invalid):
        await memory.secrets.let_into(memory.owner, secret.id, Consent(project_ids=frozenset({"prj_none"})))
    assert (await memory.secrets.let_into(memory.owner, secret.id, to_project)).consent == to_project


async def test_an_admin_s_rebuild_lets_none_of_the_owner_s_secrets_in(memory: Memory) -> None:
    """And does not tell which the owner has."""
    await memory.secrets.put(memory.member, name="TOKEN", value=Secret("theirs"))
    project = await memory.add_project()
    worker = await spawned(memory, memory.member, project)
    await memory.projects.update(memory.owner, ORG, project.id, {"secrets": ("TOKEN", "NONE")})
    here = (memory.owner, ORG, project.id, worker.id)

    with pytest.raises(Conflict) as caught:
        await memory.workers.rebuild(*here)
    assert [each["reason"] for each in caught.value.fields["secrets"]] == ["not_granted", "not_granted"]
    with pytest.raises(Forbidden) as refused:
        await memory.workers.rebuild(*here, secrets=Wishes(granted=("TOKEN",), without=True))
    assert refused.value.code == "not_owner"

    await memory.workers.rebuild(*here, secrets=Wishes(without=True))
    assert await sent(memory, worker) == {}
