"""The list of nodes in SQL, narrowed by what is looked for."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, select

from spunto.adapters.sql.narrowing import narrowed
from spunto.adapters.sql.paging import paged_by
from spunto.adapters.sql.tables.nodes import nodes
from spunto.core.kernel.paging import Order
from spunto.core.nodes.model import NodeStatus

COLUMNS = [column for column in nodes.c if column.name not in {"accepting", "capabilities", "load"}]
# As `core.nodes.model.status_of` has it; the contract of the repository compares the two.
_STATUS: ColumnElement[Any] = case(
    (nodes.c.deleting_at.is_not(None), NodeStatus.DELETING.value),
    (nodes.c.quarantine.is_not(None), NodeStatus.QUARANTINED.value),
    (nodes.c.incompatible.is_not(None), NodeStatus.ERROR.value),
    (nodes.c.epoch == 0, NodeStatus.PROVISIONING.value),
    (~nodes.c.connected, NodeStatus.OFFLINE.value),
    (nodes.c.draining, NodeStatus.DRAINING.value),
    (nodes.c.agent["engineProblem"].as_string().is_not(None), NodeStatus.ERROR.value),
    else_=NodeStatus.ONLINE.value,
)


@lru_cache(maxsize=256)
def listing(said: frozenset[str], order: Order, dialect: str) -> Select[Any]:
    """By the fields of a NodeFilter; `narrowing.asked` gives the values."""
    found = select(*COLUMNS).where(nodes.c.org_id == bindparam("org_id"))
    if "status" in said:
        found = found.where(bindparam("status") == _STATUS)
    return paged_by(narrowed(found, nodes, said - {"status"}, dialect), nodes, order, dialect)
