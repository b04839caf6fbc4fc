"""Reads the ledgers of agents from before there were kinds, when everything on a node was a worker."""

from collections.abc import Mapping
from typing import Any

from spunto.core.specs.worker import network_name, volume_name

_COMMON = (
    "ranGeneration",
    "failedGeneration",
    "problem",
    "lackedImageIn",
    "pulledIn",
    "remadeIn",
    "refusedId",
)


LAST_GENERATION = 2**32
"""Servers of then buried with a generation beyond all counting, which no server of today takes for one of its own."""


def is_first(body: Mapping[str, Any]) -> bool:
    return "setupDue" in body


def in_present_form(body: Mapping[str, Any], subject_id: str) -> dict[str, Any]:
    """Raises KeyError where it is not one of those."""
    removed = [(body["networkRemoved"], network_name), (body["volumeRemoved"], volume_name)]
    own = {"due": body["setupDue"], "running": body["setupRunning"], "status": body["setup"], "timings": {}}
    return {
        **{name: body[name] for name in _COMMON},
        "removed": [name_of(subject_id) for is_gone, name_of in removed if is_gone],
        "needs": [],
        "own": own if any(own.values()) else {},
    }
