"""One subject as it is wanted on this node."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from spunto.core.kernel.problem import Problem
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.messages import Wanted
from spunto.core.specs.spec import Spec

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Generic[S]):
    """A desired item as read by the node.

    There is no `spec` where it is to be absent, and none where it is refused: `refused` then says what this agent does
    not understand. `secrets` are there from when the server sent them until the container has run.
    """

    kind: str
    id: str
    generation: int
    wanted: Wanted
    spec: S | None
    refused: Problem | None = None
    secrets: Mapping[str, Secret] | None = None

    @property
    def lacks_secrets(self) -> bool:
        return self.spec is not None and self.spec.secrets_wanted is not None and self.secrets is None

    @property
    def is_absent(self) -> bool:
        return self.wanted is Wanted.ABSENT

    def outranks(self, known: "Item[Any]") -> bool:
        """Whether it replaces what is known. Absence is sticky, and wins over its own generation."""
        if known.is_absent:
            return self.is_absent and self.generation > known.generation
        if self.is_absent:
            return self.generation >= known.generation
        return self.generation > known.generation
