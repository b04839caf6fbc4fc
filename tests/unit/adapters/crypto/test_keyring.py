"""The keyring's file: private, whole at every moment, and read again when it has changed."""

import base64
import fcntl
import stat
from pathlib import Path

import pytest

from spunto.adapters.crypto.keyring import Key, KeyringFile, new_key
from spunto.core.kernel.errors import Conflict, Invalid


def line_of(key: Key) -> str:
    return base64.b64encode(key.material).decode()


def test_a_made_keyring_is_private_and_holds_one_key(tmp_path: Path) -> None:
    file = KeyringFile(tmp_path / "deep" / "keyring")

    key = file.make()

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert KeyringFile(file.path).all() == (key,)


def test_a_keyring_is_never_made_over_another(tmp_path: Path) -> None:
    file = KeyringFile(tmp_path / "keyring")
    key = file.make()

    with pytest.raises(Conflict) as caught:
        file.make()

    assert caught.value.code == "keyring_exists"
    assert KeyringFile(file.path).all() == (key,)


def test_a_new_key_comes_first_and_a_running_server_sees_it(tmp_path: Path) -> None:
    running, errand = KeyringFile(tmp_path / "keyring"), KeyringFile(tmp_path / "keyring")
    old = running.make()
    assert running.all() == (old,)

    new = new_key()
    errand.add(new)

    assert running.all() == (new, old)
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["keyring"]


def test_two_that_change_it_at_once_do_not_lose_a_key(tmp_path: Path) -> None:
    file = KeyringFile(tmp_path / "keyring")
    key = file.make()

    with file.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Conflict) as caught:
            file.add(new_key())

    assert caught.value.code == "keyring_changing"
    assert file.all() == (key,)


def test_notes_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    one, two = new_key(), new_key()
    (tmp_path / "keyring").write_text(f"# the current one\n{line_of(one)}\n\n  {line_of(two)}  \n")

    assert KeyringFile(tmp_path / "keyring").all() == (one, two)


@pytest.mark.parametrize("content", ["", "# nothing\n", "not base64!\n", "c2hvcnQ=\n", "schlüssel\n"])
def test_a_file_that_is_no_keyring_is_refused_without_repeating_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "keyring").write_text(content)

    with pytest.raises(Invalid) as caught:
        KeyringFile(tmp_path / "keyring").all()

    assert caught.value.code in ("keyring_unreadable", "keyring_missing")
    assert content.strip() == "" or content.strip() not in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        KeyringFile(tmp_path / "keyring").all()

    assert caught.value.code == "keyring_missing"


@pytest.mark.parametrize("broken", [None, "half a l"])
def test_a_server_keeps_the_keys_that_it_has(tmp_path: Path, broken: str | None) -> None:
    file = KeyringFile(tmp_path / "keyring")
    key = file.make()
    assert file.all() == (key,)

    if broken is None:
        file.path.unlink()
    else:
        file.path.write_text(broken)

    assert file.all() == (key,)


def test_a_key_tells_its_id_and_not_itself() -> None:
    key = Key(bytes(32))

    assert key.id == "66687aadf862bd77"
    assert repr(key) == "Key()"
