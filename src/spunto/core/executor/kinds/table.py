"""The table of what this agent can make stand: one row a kind. Their specs are rows of `specs.kind`."""

from typing import Any

from spunto.core.executor.kinds.kind import Kind
from spunto.core.executor.kinds.worker import WorkerKind

KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in (WorkerKind(),)}
