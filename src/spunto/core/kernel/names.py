"""What people may call things: one line that everybody can see, tell from others, and name in a path."""

import unicodedata
from typing import Final

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


def _is_seen(character: str) -> bool:
    return character not in _LOOKS_BLANK and unicodedata.category(character)[0] in "LNPS"
