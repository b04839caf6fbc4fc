"""The tables of all slices together.

A foreign key stands where a port promises something of it.
"""

from spunto.adapters.sql.tables import (
    access,
    activity,
    kernel,
    nodes,
    orgs,
    projects,
    routes,
    secrets,
    webhooks,
    workers,
)
from spunto.adapters.sql.tables.metadata import Conflicts, metadata

SLICES = (access, activity, kernel, nodes, orgs, projects, routes, secrets, webhooks, workers)
"""A file of tables that is not named here has no tables as far as migrations and conflicts go."""

SCHEMA = metadata

CONFLICTS: Conflicts = {
    **orgs.CONFLICTS,
    **nodes.CONFLICTS,
    **projects.CONFLICTS,
    **routes.CONFLICTS,
    **workers.CONFLICTS,
}
"""Breaking a constraint that is not named here is a lost race."""
