"""`spunto keys`: errands on the keyring that secrets are encrypted with, with or without servers running on it."""

import asyncio
from contextlib import AbstractAsyncContextManager

from spunto.adapters.crypto.keyring import KeyringFile, new_key
from spunto.core.secrets.rotation import KeyUse
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.databases import existing
from spunto.entrypoints.serving.failures import EXIT_FAILED, ended
from spunto.entrypoints.serving.settings import Settings


def generate() -> int:
    """Make the keyring with its first key; the exit code."""
    return ended(_generate)


def rotate(url: str | None = None) -> int:
    """Add a new key and wrap everything with it, or end a rotation that was broken off; the exit code."""
    return ended(lambda: asyncio.run(_rotate(url)))


def status(url: str | None = None) -> int:
    """Print each key and what it wraps; the exit code, which tells of a key that is missing."""
    found: list[KeyUse] = []
    code = ended(lambda: found.extend(asyncio.run(_status(url))))
    for use in found:
        print(f"{use.key_id}  {_state_of(use):8}  {use.secrets} secrets")  # noqa: T201 - asked for
    return code or (0 if all(use.is_known for use in found) else EXIT_FAILED)


def _generate() -> None:
    file = KeyringFile(Settings().keyring_file)
    key = file.make()
    print(f"Made {file.path} with the key {key.id}. Keep a copy apart from the database's.")  # noqa: T201 - asked for


async def _rotate(url: str | None) -> None:
    file = KeyringFile(Settings().keyring_file)
    async with _beside_a_server(url) as spunto:
        # The keyring of another database would get a key that wraps what nobody can open.
        await spunto.rotation.check()
        if await spunto.rotation.is_done():
            file.add(new_key())
        moved = await spunto.rotation.rewrap_all()
        current = (await spunto.rotation.status())[0]
    print(  # noqa: T201 - asked for
        f"Moved {moved} secrets to the key {current.key_id}. The older keys may be removed from {file.path} as soon as "
        "`spunto keys status` shows none under them."
    )


async def _status(url: str | None) -> list[KeyUse]:
    async with _beside_a_server(url) as spunto:
        return list(await spunto.rotation.status())


def _beside_a_server(url: str | None) -> AbstractAsyncContextManager[Spunto]:
    settings = Settings()
    return Spunto.beside_a_server(existing(url or settings.database), keyring=settings.keyring_file)


def _state_of(use: KeyUse) -> str:
    if not use.is_known:
        return "missing"
    return "current" if use.is_current else "old"
