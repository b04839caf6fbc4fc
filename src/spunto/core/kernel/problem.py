"""What went wrong with a thing, in the one form in which it is stored, sent and shown."""

import re
from dataclasses import dataclass
from typing import Annotated

from annotated_types import MaxLen, Predicate

Code = Annotated[str, Predicate(re.compile(r"[a-z][a-z0-9_]{0,63}").fullmatch)]
ErrorText = Annotated[str, MaxLen(4096)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong: `message` for people, with a way out, `code` for programs. The bounds are for what comes in."""

    code: Code
    message: ErrorText
