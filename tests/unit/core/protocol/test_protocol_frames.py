"""Frames that were recorded when their version was released are understood, and said again, for ever."""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.messages import Data, Hello, Message

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "frames" / "v2.jsonl").read_text().splitlines()]
FRAMES = [line["frame"] for line in RECORDED]


def is_within(recorded: Any, said: Any) -> bool:
    """Whether everything that was recorded is said; a later version may say more beside it."""
    if isinstance(recorded, dict):
        return isinstance(said, dict) and all(key in said and is_within(recorded[key], said[key]) for key in recorded)
    if isinstance(recorded, list):
        return isinstance(said, list) and len(said) == len(recorded) and all(map(is_within, recorded, said))
    return bool(recorded == said)


def with_a_field_of_the_future(message: Any, content: dict[str, Any]) -> dict[str, Any]:
    """Beside every field that the protocol knows, at every depth; not in what is another one's business."""
    added = {**content, "aFieldOfTheFuture": {"deep": [1]}}
    for each in fields(message):
        name = each.name.split("_")[0] + "".join(part.title() for part in each.name.split("_")[1:])
        value = getattr(message, each.name)
        if is_dataclass(value):
            added[name] = with_a_field_of_the_future(value, content[name])
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            added[name] = [with_a_field_of_the_future(*pair) for pair in zip(value, content[name], strict=True)]
    return added


@pytest.mark.parametrize("frame", FRAMES)
def test_a_recorded_frame_says_the_same_when_it_is_said_again(frame: dict[str, Any]) -> None:
    message = decode(json.dumps(frame))

    assert not isinstance(message, Data)
    assert is_within(frame, json.loads(encode(message)))


@pytest.mark.parametrize("frame", FRAMES)
def test_fields_that_a_newer_side_adds_change_nothing_at_any_depth(frame: dict[str, Any]) -> None:
    message = decode(json.dumps(frame))

    newer = with_a_field_of_the_future(message, frame)

    assert json.dumps(newer).count("aFieldOfTheFuture") >= 1
    assert decode(json.dumps(newer)) == message


def test_every_message_was_recorded() -> None:
    types = {each.default for message in get_args(Message) for each in fields(message) if each.name == "type"}

    assert {frame["type"] for frame in FRAMES} == types


def test_what_a_side_can_do_may_be_words_that_the_other_does_not_know() -> None:
    hello = decode(json.dumps(FRAMES[0]))
    assert isinstance(hello, Hello)

    newer = replace(hello, capabilities=("kind:worker", "kind:of-the-future", "egress"))

    assert decode(encode(newer)) == newer
