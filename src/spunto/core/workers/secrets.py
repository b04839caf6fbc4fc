"""The secrets of workers: which ones a worker is let have, and their values when its node is told to make it."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.projects.model import Project
from spunto.core.secrets.consent import Use, chosen
from spunto.core.secrets.model import SecretOwner, StoredSecret
from spunto.core.secrets.opening import fit_together, opened
from spunto.core.secrets.ports import Cipher
from spunto.core.workers.model import Worker
from spunto.core.workers.ports import WorkersTransaction


class Wishes(NamedTuple):
    """What whoever asks for a worker said about its secrets: `granted` are let in this once, and with `without` what
    is still lacking is left out."""

    granted: tuple[str, ...] = ()
    without: bool = False


async def names_for(
    tx: WorkersTransaction,
    tenant: Tenant,
    project: Project,
    wishes: Wishes,
    *,
    replaced: Collection[str],
    owner: Worker | None = None,
) -> tuple[str, ...]:
    """The names of the secrets that a worker of the project's newest version gets, of the actor or of its `owner`.

    `replaced` are names that the worker's own variables stand for. Raises Conflict `grant_needed` with `names`, and
    `secrets_full` where they do not fit together.
    """
    needed = [name for name in project.environment.secrets if name not in replaced]
    if not needed:
        return ()
    user_id = tenant.actor.user_id if owner is None else owner.user_id
    there = await tx.secrets.of_owners([tenant.org_id] if user_id is None else [tenant.org_id, user_id])
    of_user = [each for each in there if each.owner_id == user_id]
    found = chosen(
        needed,
        await _use_of(tx, tenant.org_id, project.id, project.number),
        of_organization=[each for each in there if each.owner_id == tenant.org_id],
        of_user=of_user,
        granted=wishes.granted,
    )
    lacking = [name for name in needed if name not in found]
    if lacking and not wishes.without:
        # What others have is nobody's to learn.
        is_own = user_id is not None and user_id == tenant.actor.user_id
        raise _grant_needed(lacking, {each.name for each in of_user} if is_own else lacking)
    if not fit_together(found.values()):
        raise Conflict("secrets_full", "The project's secrets do not fit together into one worker; name fewer of them.")
    return tuple(name for name in needed if name in found)


class WorkerSecrets:
    """Where the nodes slice gets the values. Consent is asked for again at each sending: what was taken back since the
    worker was spawned goes nowhere any more."""

    def __init__(self, uow: UnitOfWork[WorkersTransaction], *, cipher: Cipher) -> None:
        self._uow = uow
        self._cipher = cipher

    async def values_of(
        self, org_id: OrgId, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, Secret]]:
        """The wanted names' values by worker id; names that it may not have are left out.

        Who is no member of the organization has none for it: what they left there is others' to look into. A worker
        whose secrets can't all be read now is left out as a whole.
        """
        found: dict[str, Mapping[str, Secret]] = {}
        async with self._uow.reading() as tx:
            workers = await tx.workers.of_ids(list(wanted))
            there = await self._secrets_of(tx, org_id, workers)
            uses = {
                each: await _use_of(tx, org_id, *each)
                for each in {(worker.project_id, worker.project_version) for worker in workers}
            }
        for worker in workers:
            values = opened(
                self._cipher,
                chosen(
                    wanted[worker.id],
                    uses[worker.project_id, worker.project_version],
                    of_organization=there[org_id],
                    of_user=() if worker.user_id is None else there[worker.user_id],
                    granted=worker.granted,
                ),
            )
            if values is not None:
                found[worker.id] = values
        return found

    async def _secrets_of(
        self, tx: WorkersTransaction, org_id: OrgId, workers: Collection[Worker]
    ) -> Mapping[SecretOwner, list[StoredSecret]]:
        """By owner; nobody is left out."""
        users = {worker.user_id for worker in workers if worker.user_id is not None}
        roles = await tx.grants.roles_of_all(list(users))
        members = [user_id for user_id, held in roles.items() if org_id in held]
        by_owner: dict[SecretOwner, list[StoredSecret]] = {org_id: [], **{user_id: [] for user_id in users}}
        for secret in await tx.secrets.of_owners([org_id, *members]):
            by_owner[secret.owner_id].append(secret)
        return by_owner


async def _use_of(tx: WorkersTransaction, org_id: OrgId, project_id: str, number: int) -> Use:
    return Use(
        org_id=org_id,
        project_id=project_id,
        made_by=await tx.projects.maker_of(project_id, number),
        only_member=await tx.grants.only_member_of(org_id),
    )


def _grant_needed(lacking: Collection[str], known: Collection[str]) -> Conflict:
    unknown = [name for name in lacking if name not in known]
    held = [name for name in lacking if name in known]
    parts = []
    if held:
        parts.append(f"{', '.join(held)} may not enter this project's workers yet")
    if unknown:
        parts.append(f"you have no secret {', '.join(unknown)}")
    return Conflict(
        "grant_needed",
        f"The project needs secrets: {'; '.join(parts)}. Let them in, set them, or spawn without.",
        names=list(lacking),
        secrets=[{"name": name, "reason": "missing" if name in unknown else "not_granted"} for name in lacking],
    )
