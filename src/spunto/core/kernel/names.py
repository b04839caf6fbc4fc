"""What people may call things: one line that everybody can see, tell from others, and name in a path."""

import unicodedata
from typing import Final

from spunto.core.kernel.errors import Invalid

MAX_CHARACTERS: Final = 100
# Joiners belong to the spelling of several scripts and of pictures; every other format character hides or turns text.
_JOINERS: Final = frozenset("\u200c\u200d")
_LOOKS_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def name_problem(name: str) -> str | None:
    """Why it can't be a name, in words that complete "The name …"; None for a good one."""
    if not name or len(name) > MAX_CHARACTERS:
        return f"must have 1 to {MAX_CHARACTERS} characters"
    if name != name.strip():
        return "must neither begin nor end with a blank"
    if "/" in name:
        return "must not contain '/', which parts names in commands and addresses"
    for character in name:
        if character not in _JOINERS and unicodedata.category(character) in _UNSEEN:
            return f"must not contain U+{ord(character):04X}, which is not seen or turns the text around"
    if not any(map(_is_seen, name)):
        return "must contain a character that can be seen"
    return None


def require_name(name: str) -> None:
    """Raises Invalid `name_invalid`."""
    problem = name_problem(name)
    if problem is not None:
        raise Invalid("name_invalid", f"The name {problem}.")


def made_fit(text: str) -> str:
    """What can be a name of a text that others chose, who can't be asked again; empty where nothing can."""
    seen = (" " if character.isspace() else character for character in text.replace("/", "-") if _may_stand(character))
    name = " ".join("".join(seen).split())[:MAX_CHARACTERS].rstrip()
    return "" if name_problem(name) else name


def _may_stand(character: str) -> bool:
    return character.isspace() or character in _JOINERS or unicodedata.category(character) not in _UNSEEN


def _is_seen(character: str) -> bool:
    return character not in _LOOKS_BLANK and unicodedata.category(character)[0] in "LNPS"
