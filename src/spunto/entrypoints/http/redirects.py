"""Where a browser may be sent on to after a sign-in: to our own pages, nowhere else."""

from typing import Final
from urllib.parse import urlsplit

MAX_CHARACTERS: Final = 2048


def safe_next(path: str | None) -> str:
    """The path, or `/` for everything that a browser might take for an address elsewhere."""
    if not path or len(path) > MAX_CHARACTERS or not path.startswith("/") or path.startswith("//"):
        return "/"
    # Browsers read a backslash as a slash, and leave out control characters and blanks.
    if "\\" in path or any(character <= " " or character == "\x7f" for character in path):
        return "/"
    address = urlsplit(path)
    return "/" if address.scheme or address.netloc else path
