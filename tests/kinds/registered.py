"""Puts the tests' kinds into both tables: one row each, and nothing else."""

from tests.kinds import bridge, errand

from spunto.core.executor.kinds.table import KINDS
from spunto.core.specs.kind import SPECS


def register() -> None:
    """For a process of its own."""
    for module in (bridge, errand):
        SPECS[module.SPEC.name] = module.SPEC
        KINDS[module.KIND.name] = module.KIND
