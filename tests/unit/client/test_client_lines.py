"""Bodies that come in pieces."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.client.errors import UnexpectedAnswer
from spunto.client.lines import LONGEST_LINE_BYTES, Message, Retry, lines_in, messages_in


async def each(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def said(*pieces: bytes) -> list[Message | Retry]:
    return [message async for message in messages_in(each(pieces))]


@given(
    lines=st.lists(st.binary(max_size=8).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))), cuts=st.data()
)
async def test_lines_do_not_depend_on_where_the_pieces_end(lines: list[bytes], cuts: st.DataObject) -> None:
    body = b"".join(line + b"\n" for line in lines)
    ends = sorted(cuts.draw(st.lists(st.integers(0, len(body)))))
    pieces = [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]

    assert [line async for line in lines_in(each(pieces))] == lines


async def test_only_a_line_feed_ends_a_line() -> None:
    """People may call their things so, and JSON leaves it as it is."""
    strange = '{"name":"a\u2028b\x85c\x0b"}'.encode()

    assert [line async for line in lines_in(each([strange + b"\r\n" + b"rest"]))] == [strange, b"rest"]


async def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    with pytest.raises(UnexpectedAnswer, match="without an end"):
        [line async for line in lines_in(each([b"x" * LONGEST_LINE_BYTES, b"x"]))]


async def test_messages_have_kind_number_and_data() -> None:
    assert await said(b"retry: 1500\n\n:\n\nid: 1\nevent: position\ndata: {}\n\n", b"id: 2\ndata:a\ndata: b\n\n") == [
        Retry(1.5),
        Message(event="position", id="1", data="{}"),
        Message(event="message", id="2", data="a\nb"),
    ]


async def test_what_is_not_complete_was_never_said() -> None:
    assert await said(b"id: 1\ndata: a\n\nid: 2\ndata: b\n") == [Message(event="message", id="1", data="a")]


async def test_what_no_reader_knows_is_passed_over() -> None:
    assert await said(b"color: red\nretry: soon\nid: \0\ndata: a\n\nevent: empty\n\n") == [
        Message(event="message", id="", data="a")
    ]
