"""Where the token of a login is kept: in the keyring, or in the file where none works."""

import json
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli.credentials import Login, effective, forget, load, save

LOGIN = Login(url="https://box", token=Secret("sesame"), org="org_1", is_own=True)


class Ring(KeyringBackend):
    """A keyring of this process."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library has no types there
        self.held: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def set_password(self, service: str, username: str, password: str) -> None:
        self._require_open()
        self.held[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        self._require_open()
        return self.held.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        if self.held.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")

    def _require_open(self) -> None:
        if self.is_locked:
            raise KeyringLocked


class Forgetful(Ring):
    """Takes everything and keeps nothing, as some desktops without a session do."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


@pytest.fixture
def ring() -> Ring:
    ring = Ring()
    keyring.set_keyring(ring)
    return ring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "login.json"


def test_a_token_goes_into_the_keyring_and_not_into_the_file(ring: Ring, path: Path) -> None:
    save(path, LOGIN)

    assert load(path) == LOGIN
    assert "sesame" not in path.read_text(encoding="utf-8")
    assert ring.held == {("spunto", "https://box"): "sesame"}


@pytest.mark.parametrize("broken", [True, False])
def test_where_the_keyring_does_not_work_the_token_goes_into_the_file(ring: Ring, path: Path, broken: bool) -> None:
    ring.is_locked = True
    if not broken:
        keyring.set_keyring(Forgetful())

    save(path, LOGIN)

    assert load(path) == LOGIN
    assert json.loads(path.read_text(encoding="utf-8"))["token"] == "sesame"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_keyring_that_was_locked_meanwhile_leaves_one_logged_out(ring: Ring, path: Path) -> None:
    save(path, LOGIN)
    ring.is_locked = True

    with pytest.raises(Unauthenticated, match="spunto login"):
        effective({}, load(path))


def test_a_login_that_is_forgotten_is_nowhere(ring: Ring, path: Path) -> None:
    save(path, LOGIN)

    for _ in range(2):
        forget(path, LOGIN)

    assert (load(path), ring.held) == (None, {})


def test_a_login_of_an_earlier_version_is_read(path: Path) -> None:
    path.write_text('{"url": "https://box", "token": "sesame", "org": null}', encoding="utf-8")

    assert load(path) == Login(url="https://box", token=Secret("sesame"))
