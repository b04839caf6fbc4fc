"""What all of the server's answers are: frozen values, whose unknown fields are kept, not refused."""

from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """snake_case here, camelCase on the wire."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="allow",
        # A command reads one or two kinds of answers, and to make ready for all of them takes longer than its request.
        defer_build=True,
    )

    @cached_property
    def etag(self) -> str | None:
        """Names all that was answered, for `if_match`; None for what came in a list. It is not compared."""
        return None

    def to_wire(self) -> dict[str, Any]:
        """What the server said, and as it said it: camelCase, times in RFC 3339."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Failure(WireModel):
    """What is wrong with a thing, for people (`message`) and programs (`code`)."""

    code: str = ""
    message: str = ""
