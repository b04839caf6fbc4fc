"""Keeps the tests of the command line away from the keyring of whoever runs them."""

from collections.abc import Iterator

import keyring
import pytest
from keyring.backends.fail import Keyring


@pytest.fixture(autouse=True)
def _no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]  # the library has no types there
    yield
    keyring.set_keyring(before)
