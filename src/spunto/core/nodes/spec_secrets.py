"""Secrets on their way to a node: beside the spec, and looked up only when it is sent."""

from collections.abc import Iterable, Mapping

from spunto.core.kernel.secret import Secret
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.ports import SecretSource
from spunto.core.protocol.messages import Wanted
from spunto.core.specs.secrets import secrets_to_json
from spunto.core.specs.spec import SecretsWanted

Values = Mapping[str, Mapping[str, Secret]]
"""By subject id and name."""


def wants_secrets(assignment: Assignment) -> bool:
    """Whether the node may have to make something that must not be without them."""
    return _wanted(assignment) is not None


async def values_for(source: SecretSource, assignments: Iterable[Assignment]) -> Values:
    """What one node's assignments may have of what they name, in one question."""
    wanting = [(each, secrets) for each in assignments if (secrets := _wanted(each)) is not None]
    if not wanting:
        return {}
    return await source.values_of(wanting[0][0].org_id, {each.subject_id: secrets.names for each, secrets in wanting})


def sent_secrets(assignment: Assignment, values: Values) -> dict[str, str] | None:
    """The item's own secrets as they travel; None where there are none to send, or they can't be had."""
    wanted = _wanted(assignment)
    found = None if wanted is None else values.get(assignment.subject_id)
    if wanted is None or found is None:
        return None
    return secrets_to_json({name: found[name] for name in wanted.names if name in found})


def _wanted(assignment: Assignment) -> SecretsWanted | None:
    return assignment.spec.secrets_wanted if assignment.wanted is Wanted.PRESENT else None
