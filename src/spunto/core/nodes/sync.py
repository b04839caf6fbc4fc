"""Keeps an agent told what should stand on its node: everything on connect, differences afterwards."""

from collections.abc import Sequence

from spunto.core.kernel.crash import crash_point
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.model import NodeId
from spunto.core.nodes.ports import NodesTransaction, SecretSource
from spunto.core.nodes.spec_secrets import Values, sent_secrets, values_for, wants_secrets
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Desired, DesiredItem, Wanted
from spunto.core.specs.kind import SPECS

# Only a hint that got lost costs this wait; thousands of idle nodes must not cost a query each few seconds.
POLL_SECONDS = 120.0
# Secrets that can't be had now are asked for again after this long.
SECRETS_SECONDS = 10.0


def topic(node_id: NodeId) -> str:
    """Hinted by whatever changes an assignment of the node."""
    return f"node:{node_id}"


async def keep_in_step(
    uow: UnitOfWork[NodesTransaction],
    wakeups: Wakeups,
    node_id: NodeId,
    connection: Connection,
    *,
    secrets: SecretSource,
) -> None:
    """Send what differs from what was sent on this connection, until it ends (raises ConnectionLost).

    Values of secrets are looked up for each sending and not kept; an item that lacks them is sent again.
    """
    told = _Told(uow, node_id, connection, secrets=secrets)
    with wakeups.subscribe(topic(node_id)) as wakeup:
        while True:
            is_whole = await told.bring_up_to_date()
            await wakeup.wait(max_seconds=None if is_whole else SECRETS_SECONDS, poll_seconds=POLL_SECONDS)


class _Told:
    """What one connection has been told: the generation of each subject, and nothing else. Thousands of nodes idle with
    it, so that no transaction, specification or secret may live on in between."""

    def __init__(
        self,
        uow: UnitOfWork[NodesTransaction],
        node_id: NodeId,
        connection: Connection,
        *,
        secrets: SecretSource,
    ) -> None:
        self._uow = uow
        self._node_id = node_id
        self._connection = connection
        self._secrets = secrets
        self._sent: dict[str, int] = {}
        self._revision = 0

    async def bring_up_to_date(self) -> bool:
        """Send what differs; whether nothing was lacking of it."""
        async with self._uow.reading() as tx:
            assignments = await tx.assignments.of_node(self._node_id)
        lacking: set[str] = set()
        changed = [each for each in assignments if self._sent.get(each.subject_id) != each.generation]
        if changed or self._revision == 0:
            crash_point("after_commit_before_send")
            self._revision += 1
            values = await values_for(self._secrets, changed)
            desired = _desired(self._connection.epoch, self._revision, changed, values)
            self._connection.send(desired)
            crash_point("after_send")
            lacking = _lacking(changed, desired)
        self._sent = {each.subject_id: each.generation for each in assignments if each.subject_id not in lacking}
        return not lacking


def _lacking(assignments: Sequence[Assignment], desired: Desired) -> set[str]:
    pairs = zip(assignments, desired.items, strict=True)
    return {each.subject_id for each, item in pairs if wants_secrets(each) and item.secrets is None}


def _desired(epoch: int, revision: int, assignments: Sequence[Assignment], values: Values) -> Desired:
    items = tuple(_item(each, values) for each in assignments)
    return Desired(epoch=epoch, revision=revision, whole=revision == 1, items=items)


def _item(assignment: Assignment, values: Values) -> DesiredItem:
    present = assignment.wanted is Wanted.PRESENT
    return DesiredItem(
        kind=assignment.kind,
        id=assignment.subject_id,
        generation=assignment.generation,
        wanted=assignment.wanted,
        cause=assignment.cause,
        spec=SPECS[assignment.kind].write(assignment.spec) if present else None,
        secrets=sent_secrets(assignment, values),
    )
