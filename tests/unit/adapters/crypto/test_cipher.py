"""What is sealed opens in its own place, under its own key, and nowhere else."""

from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import MemoryKeyring, new_key
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import Sealed

HERE = b"-|usr_1|sec_1|NAME|1"
PLACES = st.binary(max_size=64)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def refused(cipher: EnvelopeCipher, sealed: Sealed, *, bound_to: bytes = HERE) -> str:
    with pytest.raises(Unavailable) as caught:
        cipher.open(sealed, bound_to=bound_to)
    assert caught.value.code != "secret_unreadable" or isinstance(caught.value.__cause__, InvalidTag | ValueError)
    return caught.value.code


def with_part(sealed: Sealed, part: str, body: bytes) -> Sealed:
    return replace(sealed, wrapped_key=body) if part == "wrapped_key" else replace(sealed, ciphertext=body)


@given(TEXTS, PLACES)
def test_what_was_sealed_opens_again(text: str, place: bytes) -> None:
    cipher = EnvelopeCipher(MemoryKeyring())

    assert cipher.open(cipher.seal(Secret(text), bound_to=place), bound_to=place) == Secret(text)


@given(PLACES, PLACES)
def test_it_opens_in_no_other_place(place: bytes, other: bytes) -> None:
    cipher = EnvelopeCipher(MemoryKeyring())
    sealed = cipher.seal(Secret("value"), bound_to=place)

    if place != other:
        assert refused(cipher, sealed, bound_to=other) == "secret_unreadable"


def test_halves_of_two_rows_make_no_third() -> None:
    cipher = EnvelopeCipher(MemoryKeyring())
    one, two = (cipher.seal(Secret(text), bound_to=HERE) for text in ("one", "two"))

    assert refused(cipher, replace(one, ciphertext=two.ciphertext)) == "secret_unreadable"


@given(st.integers(min_value=0), st.sampled_from(["wrapped_key", "ciphertext"]))
def test_no_bit_can_be_changed(bit: int, part: str) -> None:
    cipher = EnvelopeCipher(MemoryKeyring())
    sealed = cipher.seal(Secret("value"), bound_to=HERE)
    body = bytearray(getattr(sealed, part))
    body[bit // 8 % len(body)] ^= 1 << bit % 8

    assert refused(cipher, with_part(sealed, part, bytes(body))) == "secret_unreadable"


@pytest.mark.parametrize("part", ["wrapped_key", "ciphertext"])
def test_what_is_cut_short_does_not_open(part: str) -> None:
    cipher = EnvelopeCipher(MemoryKeyring())
    sealed = cipher.seal(Secret("value"), bound_to=HERE)

    assert refused(cipher, with_part(sealed, part, b"\x00")) == "secret_unreadable"


@given(TEXTS)
def test_a_rewrapped_value_opens_without_the_old_key(text: str) -> None:
    old, new = new_key(), new_key()
    sealed = EnvelopeCipher(MemoryKeyring(old)).seal(Secret(text), bound_to=HERE)

    moved = EnvelopeCipher(MemoryKeyring(new, old)).rewrap(sealed, bound_to=HERE)

    assert (moved.key_id, moved.ciphertext) == (new.id, sealed.ciphertext)
    assert EnvelopeCipher(MemoryKeyring(new)).open(moved, bound_to=HERE) == Secret(text)
    assert refused(EnvelopeCipher(MemoryKeyring(old)), moved) == "secret_key_missing"


def test_equal_values_look_different() -> None:
    cipher = EnvelopeCipher(MemoryKeyring())
    one, two = (cipher.seal(Secret("value"), bound_to=HERE) for _ in range(2))

    assert one.wrapped_key != two.wrapped_key
    assert one.ciphertext != two.ciphertext
