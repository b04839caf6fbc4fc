"""The database's URL, made from what people name: a file may be called whatever the file system allows."""

from pathlib import Path
from urllib.parse import quote

from spunto.core.kernel.errors import Invalid


def sqlite_url(file: Path) -> str:
    """The URL of an SQLite file. Raises Invalid `database_url` for a name that is no text."""
    try:
        return f"sqlite+aiosqlite:///{quote(str(file.resolve()))}"
    except UnicodeEncodeError as error:
        raise Invalid("database_url", f"The name {str(file)!r} is not UTF-8; take another directory.") from error
