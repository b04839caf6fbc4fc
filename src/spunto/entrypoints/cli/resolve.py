"""Names as people type them, turned into the one thing that is meant."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from spunto.client.client import SpuntoClient
from spunto.client.errors import NotAllowed
from spunto.client.nodes import Node
from spunto.client.orgs import Invitation, Member, Organization
from spunto.client.projects import Project
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Invalid, NotFound
from spunto.core.kernel.ids import is_id
from spunto.core.kernel.names import name_problem

T = TypeVar("T")


def one_of(
    candidates: Iterable[T], wanted: str | None, *, kind: str, names: Callable[[T], Sequence[str]], where: str = ""
) -> T:
    """The candidate with that id or name, or the only one there is where none is named.

    `names` gives the id first and the name that tells it apart from others last. Raises NotFound, Invalid.
    """
    everyone, noun = list(candidates), kind.lower().replace(" ", "_")
    found = [candidate for candidate in everyone if wanted is None or wanted in names(candidate)]
    # An id is never ambiguous, even where something else bears it as a name.
    exact = [candidate for candidate in found if names(candidate)[0] == wanted] or found
    if len(exact) == 1:
        return exact[0]
    if not exact:
        missing = f"There is no {kind} yet." if wanted is None else f"There is no {kind} {wanted!r}."
        raise NotFound(f"{noun}_not_found", f"{missing}{where}")
    listed = ", ".join(sorted(names(candidate)[-1] for candidate in exact)[:10])
    if wanted is None:
        raise Invalid(f"{noun}_not_named", f"Say which {kind} is meant: {listed}.{where}")
    raise Invalid(f"{noun}_ambiguous", f"{wanted!r} may be any of {listed}; say it in full or by its id.")


async def find_org(client: SpuntoClient, wanted: str | None) -> Organization:
    organizations = [organization async for organization in client.orgs.iter_orgs()]
    return one_of(
        organizations,
        wanted,
        kind="organization",
        names=lambda organization: (organization.id, organization.name, organization.slug),
        where=" Choose with `spunto org use`, --org or SPUNTO_ORG." if organizations else "",
    )


async def find_org_id(client: SpuntoClient, wanted: str | None) -> str:
    """The same, also with a key that may not read organizations: it is of one only."""
    try:
        return (await find_org(client, wanted)).id
    except NotAllowed as refusal:
        if wanted is not None or refusal.code != "missing_scope":
            raise
    return (await client.identity()).organizations[0].id


async def find_member(client: SpuntoClient, org_id: str, wanted: str) -> Member:
    members = [member async for member in client.orgs.iter_members(org_id)]
    return one_of(members, wanted, kind="member", names=lambda member: (member.user_id, member.name, member.email))


async def find_invitation(client: SpuntoClient, org_id: str, wanted: str) -> Invitation:
    invitations = [invitation async for invitation in client.orgs.iter_invitations(org_id)]
    return one_of(invitations, wanted, kind="invitation", names=lambda invitation: (invitation.id, invitation.email))


async def find_project(client: SpuntoClient, org_id: str, wanted: str | None) -> Project:
    projects = [project async for project in client.projects.iter_projects(org_id)]
    return one_of(projects, wanted, kind="project", names=lambda project: (project.id, project.name))


async def find_node(client: SpuntoClient, org_id: str, wanted: str) -> Node:
    nodes = [node async for node in client.nodes.iter_nodes(org_id)]
    return one_of(nodes, wanted, kind="node", names=lambda node: (node.id, node.name))


async def find_worker(client: SpuntoClient, org_id: str, wanted: str) -> Worker:
    """A worker by id, by name, or by `project/name`. Only the last of them asks for projects."""
    project_name, separator, worker_name = wanted.rpartition("/")
    if separator:
        project = await find_project(client, org_id, project_name)
        placed = [(project.name, worker) async for worker in client.workers.iter_workers(org_id, project.id)]
    elif is_id(wanted, "wkr"):
        return await client.workers.find(org_id, wanted)
    else:
        placed = await _of_name(client, org_id, worker_name)
    _, worker = one_of(
        placed,
        worker_name,
        kind="worker",
        names=lambda pair: (pair[1].id, pair[1].name, f"{pair[0]}/{pair[1].name}"),
    )
    return worker


async def project_names(client: SpuntoClient, org_id: str) -> Mapping[str, str]:
    """By id; none for a key that may not read projects."""
    try:
        return {project.id: project.name async for project in client.projects.iter_projects(org_id)}
    except NotAllowed as refusal:
        if refusal.code != "missing_scope":
            raise
        return {}


async def _of_name(client: SpuntoClient, org_id: str, name: str) -> list[tuple[str, Worker]]:
    """With what the project is called, where it takes that to tell them apart."""
    if name_problem(name) is not None:
        return []
    found = [worker async for worker in client.workers.iter_all(org_id, name=name)]
    names = await project_names(client, org_id) if len(found) > 1 else {}
    return [(names.get(worker.project_id, worker.project_id), worker) for worker in found]
