"""What this agent can't read: an unknown kind, or a spec or a memory that a newer agent wrote.

It is left alone as it stands, told with the reason, and taken away by its labels when it is to be gone.
"""

from spunto.core.executor.actions import Action, Remove, RemoveNetwork, RemoveVolume
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Kind, Now, Report
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.seen import Names, Seen
from spunto.core.protocol.messages import Phase
from spunto.core.specs.spec import Spec


class UnreadKind(Kind[Spec]):
    """The kind of a subject that is refused, or that is absent and was never understood."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def wants(self, subject_id: str) -> Names:
        return Names(by_label=True)

    def next_action(self, item: Item[Spec], seen: Seen, ledger: Ledger, now: Now) -> Action | None:
        """A refused item never comes here; this is the way of an absent one."""
        for container in sorted(seen.containers):
            return Remove(name=container)
        for network in sorted(seen.networks):
            return RemoveNetwork(name=network)
        for volume in sorted(seen.volumes):
            return RemoveVolume(name=volume)
        return None

    def observed(self, item: Item[Spec], seen: Seen, ledger: Ledger, doing: Action | None) -> Report:
        stands = seen.containers or seen.networks or seen.volumes
        return Report(phase=Phase.REMOVING if stands else Phase.ABSENT)
