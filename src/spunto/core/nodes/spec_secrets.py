"""Secrets of workers on their way to a node: beside the spec, and looked up only when it is sent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from spunto.core.kernel.secret import Secret
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.ports import SecretSource
from spunto.core.protocol.messages import Wanted
from spunto.core.specs.secrets import secrets_to_json
from spunto.core.specs.worker import Power

Values = Mapping[str, Mapping[str, Secret]]
"""By user id and name."""


def wants_secrets(assignment: Assignment) -> bool:
    """Whether the node may have to make a container that must not be without them."""
    runs = assignment.wanted is Wanted.PRESENT and assignment.spec.power is Power.RUNNING
    return runs and assignment.spec.wants_secrets


async def values_for(source: SecretSource, assignments: Iterable[Assignment]) -> Values:
    """What the owners of one node's assignments have of what they name, in one question."""
    wanting = [assignment for assignment in assignments if wants_secrets(assignment)]
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for assignment in wanting:
        wanted[str(assignment.spec.owner_user_id)].update(assignment.spec.secret_names)
    return await source.values_of(wanting[0].org_id, wanted) if wanting else {}


def sent_secrets(assignment: Assignment, values: Values) -> dict[str, str] | None:
    """The item's own secrets as they travel; None where there are none to send, or they can't be had."""
    if not wants_secrets(assignment):
        return None
    of_owner = values.get(str(assignment.spec.owner_user_id))
    if of_owner is None:
        return None
    return secrets_to_json({name: of_owner[name] for name in assignment.spec.secret_names if name in of_owner})
