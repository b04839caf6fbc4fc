"""Which server to talk to, as whom and in which organization: from the environment, or from the saved login."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from spunto.core.kernel.errors import Invalid, Unauthenticated
from spunto.core.kernel.loopback import is_loopback
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli import tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    url: str
    token: Secret
    org: str | None = None
    is_own: bool = False
    """Whether the token was made for this login, and ends with it."""


def login_path(env: Mapping[str, str]) -> Path:
    home = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".config")
    return Path(home) / "spunto" / "login.json"


def owner_token_path(env: Mapping[str, str]) -> Path:
    """Where `spunto up` leaves the first owner's token."""
    return Path(env.get("SPUNTO_DATA_DIR") or ".spunto") / "owner.token"


def default_url(env: Mapping[str, str]) -> str:
    """The server that is named, or the box of this machine: at the port that is named, or where it last said it was."""
    if env.get("SPUNTO_URL"):
        return env["SPUNTO_URL"].rstrip("/")
    if env.get("SPUNTO_PORT"):
        return f"http://127.0.0.1:{env['SPUNTO_PORT']}"
    return box_url(env) or "http://127.0.0.1:8000"


def box_url(env: Mapping[str, str]) -> str | None:
    """How the box of the data directory is reached, as `spunto up` wrote it down; None where there is none."""
    try:
        return owner_token_path(env).with_name("url").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def is_box(env: Mapping[str, str], url: str) -> bool:
    """Whether the URL leads to the box of the data directory, by whichever name of this machine."""
    written = box_url(env)
    if written is None:
        return False
    try:
        box, asked = urlsplit(written), urlsplit(url)
        same_port = box.port == asked.port
    except ValueError:
        return False  # The client says what is wrong with it.
    loopback = is_loopback(box.hostname or "") and is_loopback(asked.hostname or "")
    same_host = loopback or box.hostname == asked.hostname
    return same_host and same_port and box.scheme == asked.scheme


def load(path: Path) -> Login | None:
    """The saved login; None where there is none. Raises Invalid for a file that isn't one."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        url = saved["url"]
        # One that the keyring has lost is as one that was never saved: `effective` says what to do.
        token = (tokens.find(url) or Secret("")) if saved.get("inKeyring") is True else Secret(saved["token"])
        return Login(url=url, token=token, org=saved.get("org"), is_own=saved.get("isOwn") is True)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("broken_login", f"{path} is not a saved login; remove it and run `spunto login`.") from error


def save(path: Path, login: Login) -> None:
    """Keep the token in the system's keyring, and where none works beside the rest of the login: in a file that only
    its owner can read, written whole or not at all."""
    kept = {"inKeyring": True} if tokens.keep(login.url, login.token) else {"token": login.token.reveal()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A temporary file is made with mode 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".login-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": login.url, "org": login.org, "isOwn": login.is_own, **kept}, file, indent=2)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def forget(path: Path, login: Login) -> None:
    """Take the login out of keyring and file; repeating is harmless."""
    tokens.forget(login.url)
    path.unlink(missing_ok=True)


def effective(env: Mapping[str, str], saved: Login | None) -> Login:
    """What the environment says, and the saved login where it says nothing. Raises Unauthenticated without a token.

    A saved token goes only to the server that it was saved for.
    """
    url = default_url(env) if env.get("SPUNTO_URL") or saved is None else saved.url
    same = saved if saved is not None and saved.url == url else None
    login = same or Login(url=url, token=Secret(""))
    if env.get("SPUNTO_TOKEN"):
        login = replace(login, token=Secret(env["SPUNTO_TOKEN"].strip()))
    if not login.token.reveal():
        raise Unauthenticated("not_logged_in", f"No token for {url}: run `spunto login`, or set SPUNTO_TOKEN.")
    return login
