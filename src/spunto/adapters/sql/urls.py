"""Reads the database's URL."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from spunto.core.kernel.errors import Invalid


def parsed(url: str) -> URL:
    """Raises Invalid `database_url` for anything but a SQLite file or a Postgres database."""
    try:
        read = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise Invalid("database_url", "The database's URL can't be read.") from error
    if read.get_backend_name() not in {"sqlite", "postgresql"}:
        raise Invalid("database_url", f"Spunto runs on sqlite and postgresql, not on {read.get_backend_name()}.")
    if is_sqlite(read) and read.database in {None, "", ":memory:"}:
        raise Invalid("database_url", "SQLite needs a file: sqlite:///path/to/file.")
    if is_sqlite(read) and read.query:
        raise Invalid("database_url", "SQLite's URL takes no options; in a file's name, ? is written as %3F.")
    return read


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"
