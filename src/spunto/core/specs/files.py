"""What can be asked about the files of something on a node, in the words of both ends."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

STREAM: Final = "files"
"""The kind of stream. Its params are a request's; bytes go in behind them, and the end of that side says that they are
whole. What comes back begins with a control."""
MAX_PATH_BYTES: Final = 4095
MAX_ENTRIES: Final = 1000


class FileVerb(StrEnum):
    """What is done: `pack` and `unpack` are a whole tree as a tar archive, down and up."""

    READ = "read"
    WRITE = "write"
    LOOK = "look"
    LIST = "list"
    MAKE = "make"
    MOVE = "move"
    REMOVE = "remove"
    PACK = "pack"
    UNPACK = "unpack"


TAKES_BODY: Final = frozenset({FileVerb.WRITE, FileVerb.UNPACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """One thing to do with a path. Which of the rest counts is the verb's affair.

    `offset` of a read is counted from the end where it is negative. `if_version` is what must be there, `*` anything,
    `unless_version` what the asker has already; both may be several, with commas between. `only_of` is the version that
    the asked part belongs to: of any other the whole is given. `top` is the name that stands for the first one of each
    path in an archive.
    """

    verb: FileVerb
    path: str
    to: str | None = None
    mode: int | None = None
    parents: bool = False
    recursive: bool = False
    overwrite: bool = False
    is_content: bool = False
    top: str | None = None
    is_look: bool = False
    offset: int = 0
    length: int | None = None
    after: str = ""
    limit: int = MAX_ENTRIES
    if_version: str | None = None
    if_missing: bool = False
    unless_version: str | None = None
    only_of: str | None = None

    def reading(
        self, *, offset: int, length: int | None, only_of: str | None, unless_version: str | None, is_look: bool
    ) -> Self:
        """The same of a part alone, where the asker hasn't got it; with `is_look` without a content."""
        return replace(
            self, offset=offset, length=length, only_of=only_of, unless_version=unless_version, is_look=is_look
        )

    def to_wire(self) -> dict[str, Any]:
        """Only what differs from saying nothing, so that an older agent understands as much as it can."""
        spoken = {_camel(name): value for name, value in asdict(self).items() if value not in (None, False, 0, "")}
        return {**spoken, "verb": self.verb.value, "path": self.path}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
