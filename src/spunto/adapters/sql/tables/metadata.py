"""What the tables of all slices share: how constraints are named, and how a broken one is told."""

from collections.abc import Mapping
from typing import TypeAlias

from sqlalchemy import MetaData

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

Conflicts: TypeAlias = Mapping[str, tuple[str, str]]
"""Code and sentence by the name of the unique constraint that was broken."""
