"""Which workers a secret may enter: what its owner said, held against what a worker is made from."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from spunto.core.access.model import OrgId, UserId
from spunto.core.secrets.model import StoredSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a worker is made from, as far as consent asks: `made_by` is who stands behind that version of the project,
    `only_member` whoever is alone in the organization."""

    org_id: OrgId
    project_id: str
    made_by: str | None
    only_member: UserId | None


def may_enter(secret: StoredSecret, use: Use) -> bool:
    """Whether the owner of the secret let it into such workers."""
    consent = secret.consent
    if consent.everywhere or use.project_id in consent.project_ids:
        return True
    return consent.own and secret.owner_id in (use.made_by, use.only_member)


def chosen(
    names: Collection[str],
    use: Use,
    *,
    of_organization: Iterable[StoredSecret],
    of_user: Iterable[StoredSecret],
    granted: Collection[str] = (),
) -> Mapping[str, StoredSecret]:
    """The secrets that enter, by name. A user's wins over the organization's; `granted` are names of the user's own
    that were let in for this one worker."""
    found = {each.name: each for each in of_organization if each.name in names and may_enter(each, use)}
    mine = (each for each in of_user if each.name in names and (each.name in granted or may_enter(each, use)))
    return {**found, **{each.name: each for each in mine}}
