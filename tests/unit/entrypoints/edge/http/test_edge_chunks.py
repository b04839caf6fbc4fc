"""Chunked bodies in pieces of any size, with what comes behind them."""

import re

import h11
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spunto.entrypoints.edge.http.chunks import ChunkReader, chunk, last_chunk
from spunto.entrypoints.edge.http.malformed import MalformedMessage

TRAILERS = st.lists(
    st.tuples(
        st.from_regex(rb"[a-z][a-z0-9-]{0,9}", fullmatch=True),
        st.from_regex(rb"(?:[!-~](?:[ -~]{0,9}[!-~])?)?", fullmatch=True),
    ),
    max_size=3,
)
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(raw: bytes, cuts: list[int]) -> tuple[bytes, list[tuple[bytes, bytes]], bytes | None]:
    """Content, trailers and what came behind, None where there was no end."""
    reader, content, rest, at = ChunkReader(), b"", b"", 0
    for cut in [*sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]:
        if reader.is_over:
            rest += raw[at:cut]
        else:
            pieces, rest = reader.take(raw[at:cut])
            content += b"".join(pieces)
        at = cut
    return content, reader.trailers, rest if reader.is_over else None


@given(st.lists(st.binary(min_size=1, max_size=300)), TRAILERS, st.binary(max_size=50), st.lists(st.integers(0, 5000)))
def test_what_is_written_is_read_however_it_is_cut(
    pieces: list[bytes], trailers: list[tuple[bytes, bytes]], behind: bytes, cuts: list[int]
) -> None:
    raw = b"".join(map(chunk, pieces)) + last_chunk(trailers) + behind

    assert read(raw, cuts) == (b"".join(pieces), trailers, behind)


@given(
    st.lists(
        st.sampled_from(
            [
                b"0",
                b"1",
                b"3",
                b"a",
                b"F",
                b";",
                b"x=y",
                b"\r\n",
                b"\r\n\r\n",
                b"\r",
                b"\n",
                b"abc",
                b" ",
                b"\t",
                b":",
                b"X: y",
                b"\x00",
                b'"',
            ]
        ),
        max_size=14,
    ),
    st.lists(st.integers(0, 60)),
)
def test_nothing_is_taken_that_a_strict_server_reads_in_another_way(words: list[bytes], cuts: list[int]) -> None:
    raw = b"".join(words)
    try:
        content, trailers, behind = read(raw, cuts)
    except MalformedMessage:
        return
    # Blanks before an extension, which RFC 9112 lets pass and h11 does not.
    assume(re.search(rb"[ \t];", raw) is None)

    other = h11.Connection(h11.SERVER)
    other.receive_data(HEAD + raw)
    theirs = b""
    while not isinstance(event := other.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            assert behind is None
            return
        theirs += bytes(event.data) if isinstance(event, h11.Data) else b""
    assert (content, trailers, behind) == (theirs, list(event.headers), other.trailing_data[0])


@pytest.mark.parametrize("raw", [b"0" * 16, b"1" + b";x" * 600, b"0\r\n" + b"a: b\r\n" * 2000])
def test_lines_between_chunks_are_bounded(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        ChunkReader().take(raw + b"\r\n")
