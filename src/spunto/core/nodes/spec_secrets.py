"""Secrets of users on their way to a node: beside the spec, and looked up only when it is sent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from spunto.core.kernel.secret import Secret
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.ports import SecretSource
from spunto.core.protocol.messages import Wanted
from spunto.core.specs.secrets import secrets_to_json
from spunto.core.specs.spec import SecretsWanted

Values = Mapping[str, Mapping[str, Secret]]
"""By user id and name."""


def wants_secrets(assignment: Assignment) -> bool:
    """Whether the node may have to make something that must not be without them."""
    return _wanted(assignment) is not None


async def values_for(source: SecretSource, assignments: Iterable[Assignment]) -> Values:
    """What the owners of one node's assignments have of what they name, in one question."""
    wanting = [(each.org_id, secrets) for each in assignments if (secrets := _wanted(each)) is not None]
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for _, secrets in wanting:
        wanted[secrets.owner_user_id].update(secrets.names)
    return await source.values_of(wanting[0][0], wanted) if wanting else {}


def sent_secrets(assignment: Assignment, values: Values) -> dict[str, str] | None:
    """The item's own secrets as they travel; None where there are none to send, or they can't be had."""
    wanted = _wanted(assignment)
    of_owner = None if wanted is None else values.get(wanted.owner_user_id)
    if wanted is None or of_owner is None:
        return None
    return secrets_to_json({name: of_owner[name] for name in wanted.names if name in of_owner})


def _wanted(assignment: Assignment) -> SecretsWanted | None:
    return assignment.spec.secrets_wanted if assignment.wanted is Wanted.PRESENT else None
