"""Lists narrowed by what is looked for, and tags as the text that they are looked for in."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, Table, Text, bindparam, func


def narrowed(found: Select[Any], table: Table, said: frozenset[str], dialect: str) -> Select[Any]:
    """By those columns of the table, and by a tag; `asked` gives the values."""
    for name in sorted(said - {"tag"}):
        found = found.where(table.c[name] == bindparam(name))
    if "tag" in said:
        place = func.instr if dialect == "sqlite" else func.strpos
        found = found.where(place(table.c.tags, bindparam("tag", type_=Text)) > 0)
    return found


def asked(said: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a narrowed list."""
    return {name: tags_to_text([value]) if name == "tag" else value for name, value in said.items()}


def tags_to_text(tags: Sequence[str]) -> str:
    """Each stands between two line ends, so that a whole one can be looked for."""
    return "".join(f"\n{tag}" for tag in tags) + "\n" if tags else ""


def tags_from_text(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")[1:-1])
