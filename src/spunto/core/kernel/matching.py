"""Whether a thing is all that a list was asked for."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol


class Filter(Protocol):
    """A frozen dataclass; each field is named as what it is compared with, `tag` but one of `tags`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def said_by(asked: Filter) -> Mapping[str, Any]:
    """By the field's name, without those that say nothing."""
    everything = {field.name: getattr(asked, field.name) for field in fields(asked)}
    return {name: value for name, value in everything.items() if value is not None}


def fits(item: Any, asked: Filter) -> bool:
    said = said_by(asked).items()
    return all(value in item.tags if name == "tag" else getattr(item, name) == value for name, value in said)
