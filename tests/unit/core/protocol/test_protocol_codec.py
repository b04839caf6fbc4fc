"""Frames: every message survives the wire, and whatever else comes is a ProtocolViolation."""

import json
import re
import time
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Ge, Le, Predicate
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.protocol.messages import a_hello, observed

from spunto.core.protocol import messages
from spunto.core.protocol.codec import (
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    ProtocolViolation,
    decode,
    encode,
    encode_parts,
)
from spunto.core.protocol.messages import (
    Data,
    Desired,
    DesiredItem,
    Goodbye,
    Message,
    Open,
    Ping,
    Wanted,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def values(kind: Any, *limits: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type within its limits."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values(arguments[0], *arguments[1:], *limits)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of([st.none() if each is NoneType else values(each) for each in arguments])
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXT, JSON if arguments[1] is Any else TEXT, max_size=3)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{each.name: values(hints[each.name]) for each in fields(kind)})
    return scalars(kind, limits)


def scalars(kind: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    lowest: Any = next((each.ge for each in limits if isinstance(each, Ge)), None)
    highest: Any = next((each.le for each in limits if isinstance(each, Le)), None)
    if kind is int:
        return st.integers(lowest, highest)
    if kind is float:
        return st.floats(lowest, highest, allow_nan=False, allow_infinity=False)
    if kind is bool:
        return st.booleans()
    if kind is datetime:
        return st.datetimes(datetime(2000, 1, 2), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    if issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    assert kind is str
    fullmatch: Any = next((each.func for each in limits if isinstance(each, Predicate)), None)
    return TEXT if fullmatch is None else st.from_regex(fullmatch.__self__, fullmatch=True)


MESSAGES = values(Message)


@given(MESSAGES)
def test_every_message_survives_the_wire(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.integers(1, 2**32 - 1), st.binary(min_size=1, max_size=100))
def test_data_survives_the_wire(stream: int, payload: bytes) -> None:
    assert decode(encode(Data(stream, payload))) == Data(stream, payload)


def test_names_are_camel_case_on_the_wire() -> None:
    frame = json.loads(encode(a_hello(labels={"my_label": "x"}, posture={"my_fact": True})))

    assert frame["bootId"] == "boot-1"
    assert frame["resources"]["cpuMillis"] == 2000
    assert (frame["labels"], frame["posture"]) == ({"my_label": "x"}, {"my_fact": True})


@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_anything_at_all_is_a_message_or_a_violation(frame: str | bytes) -> None:
    with suppress(ProtocolViolation):
        decode(frame)


@given(MESSAGES, st.data())
def test_a_message_with_something_wrong_in_it_is_a_message_or_a_violation(
    message: Message, data: st.DataObject
) -> None:
    content = json.loads(encode(message))
    place = data.draw(st.sampled_from(sorted(content)))
    content[place] = data.draw(JSON)

    with suppress(ProtocolViolation):
        decode(json.dumps(content))


OPEN = '{"type":"open","stream":1,"kind":"exec","params":%s}'


@pytest.mark.parametrize(
    ("frame", "code", "says"),
    [
        ('{"type":"shutdown"}', "unknown_message", "no message 'shutdown'"),
        ("{}", "protocol_violation", "type"),
        ("[1]", "protocol_violation", "object"),
        ("no json", "protocol_violation", "object"),
        ('{"type":"ping","nonce":"1","sentAt":1}', "protocol_violation", "ping.nonce"),
        ('{"type":"ping","nonce":-1,"sentAt":1}', "protocol_violation", "ping.nonce"),
        ('{"type":"ping","nonce":1,"sent_at":1}', "protocol_violation", "ping.sentAt"),
        ('{"type":"ping","nonce":1,"sentAt":NaN}', "protocol_violation", "object"),
        ('{"type":"reset","stream":1,"code":"Not A Code"}', "protocol_violation", "reset.code"),
        ('{"type":"reset","stream":1,"code":"x","message":"%s"}' % ("y" * 4097), "protocol_violation", "reset.message"),
        ('{"type":"reset","stream":1,"code":"x","message":"\\u0000"}', "protocol_violation", "NUL"),
        ('{"type":"reset","stream":1,"code":"x","message":"\\ud800"}', "protocol_violation", "object"),
        ('"\ud800"', "protocol_violation", "object"),
        (encode(observed("w")).replace("00:00:00Z", "00:00:00"), "protocol_violation", "observed.items.0.at"),
        (encode(observed("w")).replace("2026", "0001"), "protocol_violation", "observed.items.0.at"),
        (encode(observed("w")).replace('"w"', '"w/../x"'), "protocol_violation", "observed.items.0.id"),
        (encode(observed(*["w"] * 4097)), "protocol_violation", "4096"),
        (OPEN % ('{"a":' + "[" * 300 + "]" * 300 + "}"), "protocol_violation", "object"),
        (OPEN % ("[" * 5000), "protocol_violation", "object"),
        (b"\0\0\0\1", "protocol_violation", "1 to 65536 bytes"),
        (b"\0\0\0\1" + bytes(MAX_PAYLOAD_BYTES + 1), "protocol_violation", "1 to 65536 bytes"),
        ('"' + "x" * MAX_FRAME_BYTES + '"', "frame_too_big", "too big"),
    ],
)
def test_a_bad_frame_is_told_apart(frame: str | bytes, code: str, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)) as violation:
        decode(frame)

    assert violation.value.code == code


def test_integers_that_do_not_fit_64_bits_become_floats() -> None:
    message = decode(OPEN % '{"a":100000000000000000000}')

    assert message == Open(stream=1, kind="exec", params={"a": 1e20})
    assert isinstance(message.params["a"], float)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"observed","epoch":1,"items":[' + ",".join(["{}"] * 300_000) + "]}",
        '{"type":"observed","epoch":1,"items":[' + ",".join(['{"a":1,"b":1,"c":1,"d":1}'] * 4096) + "]}",
        '{"type":"ping",' + ",".join(f'"a{i}":1' for i in range(80_000)) + "}",
    ],
    ids=["many items", "many faults", "many fields"],
)
def test_a_frame_of_nothing_but_faults_is_refused_without_stalling_the_loop(frame: str) -> None:
    begin = time.process_time()

    with pytest.raises(ProtocolViolation, match=r"more than a hundred faults|at most 4096 items|nonce: Field required"):
        decode(frame)

    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize("text", ["\0", "a\0\\u0000", "\\\0", "\\\\u0000"])
def test_nul_is_replaced_in_what_we_send(text: str) -> None:
    message = decode(encode(Goodbye(code=1000, reason="x", message=text)))

    assert message == Goodbye(code=1000, reason="x", message=text.replace("\0", "\ufffd"))


def desired(*, count: int, spec_bytes: int) -> Desired:
    items = (
        DesiredItem(kind="worker", id=f"w{i}", generation=1, wanted=Wanted.PRESENT, spec={"x": "y" * spec_bytes})
        for i in range(count)
    )
    return Desired(epoch=1, revision=3, whole=True, items=tuple(items))


def test_a_desired_set_too_big_for_a_frame_goes_in_parts_that_say_so() -> None:
    whole = desired(count=50, spec_bytes=100_000)

    parts = [decode(frame) for frame in encode_parts(whole)]

    assert len(parts) > 1
    assert all(isinstance(part, Desired) for part in parts)
    assert [part.more for part in parts if isinstance(part, Desired)] == [True] * (len(parts) - 1) + [False]
    assert tuple(item for part in parts if isinstance(part, Desired) for item in part.items) == whole.items


def test_what_can_not_be_parted_is_refused() -> None:
    with pytest.raises(ProtocolViolation) as violation:
        list(encode_parts(desired(count=1, spec_bytes=MAX_FRAME_BYTES)))

    assert violation.value.code == "frame_too_big"


def test_the_union_holds_every_message_of_the_module() -> None:
    tagged = {each for each in vars(messages).values() if is_dataclass(each) and "type" in each.__dataclass_fields__}

    assert tagged == set(get_args(Message))
    assert len({get_type_hints(each)["type"] for each in tagged}) == len(tagged)


def test_a_ping_is_small() -> None:
    assert len(encode(Ping(nonce=1, sent_at=1.5))) < 64
