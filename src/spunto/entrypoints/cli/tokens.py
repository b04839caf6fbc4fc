"""Tokens in the system's keyring, where there is one that works."""

from typing import Final

from spunto.core.kernel.secret import Secret

SERVICE: Final = "spunto"


def keep(url: str, token: Secret) -> bool:
    """Put the token of a server into the keyring; whether it can be read there again."""
    import keyring  # It looks for its backends when it is imported, which takes a while.

    try:
        keyring.set_password(SERVICE, url, token.reveal())
        return keyring.get_password(SERVICE, url) == token.reveal()
    except Exception:  # noqa: BLE001 - a backend raises whatever its desktop does, and the file always works
        return False


def find(url: str) -> Secret | None:
    """The token of a server; None where the keyring has none, is locked, or does not work any more."""
    import keyring

    try:
        found = keyring.get_password(SERVICE, url)
    except Exception:  # noqa: BLE001 - a backend raises whatever its desktop does; one can log in anew
        return None
    return Secret(found) if found else None


def forget(url: str) -> None:
    """Take the token out; one that is not there is as good."""
    import keyring

    try:
        keyring.delete_password(SERVICE, url)
    except Exception:  # noqa: BLE001 - a backend raises whatever its desktop does, also for what is not there
        return
