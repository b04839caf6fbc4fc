"""The database's URL: of a file, which may be called whatever the file system allows, and of one that is there."""

from pathlib import Path
from urllib.parse import quote

from spunto.adapters.sql.urls import is_sqlite, parsed
from spunto.core.kernel.errors import Invalid, NotFound


def sqlite_url(file: Path) -> str:
    """The URL of an SQLite file. Raises Invalid `database_url` for a name that is no text."""
    try:
        return f"sqlite+aiosqlite:///{quote(str(file.resolve()))}"
    except UnicodeEncodeError as error:
        raise Invalid("database_url", f"The name {str(file)!r} is not UTF-8; take another directory.") from error


def existing(url: str) -> str:
    """The URL, for an errand on what others made. Raises NotFound `database_not_found`, Invalid `database_url`."""
    target = parsed(url)
    file = Path(target.database or "")
    if is_sqlite(target) and target.database and not file.exists():
        raise NotFound(
            "database_not_found",
            f"There is no database at {file.absolute()}: say by SPUNTO_DATA_DIR, SPUNTO_DATABASE_URL or --url where it "
            "is, or go where the server was started.",
        )
    return url
