"""What the engine sends is read within bounds."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.adapters.runtimes.engine_socket import MAX_LINE_BYTES, json_lines
from spunto.core.executor.runtime import EngineUnavailable


def _read(chunks: Sequence[bytes]) -> list[object]:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def read() -> list[object]:
        return [line async for line in json_lines(sent())]

    return asyncio.run(read())


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers()), max_size=5), st.integers(1, 40))
def test_objects_are_read_however_they_are_cut(objects: list[dict[str, int]], size: int) -> None:
    sent = b"".join(json.dumps(item).encode() + b"\n" for item in objects)

    read = _read([sent[start : start + size] for start in range(0, len(sent), size)])

    assert read == objects


def test_what_is_not_json_means_that_the_engine_is_not_well() -> None:
    with pytest.raises(EngineUnavailable):
        _read([b"<html>\n"])


def test_an_endless_line_is_dropped_and_the_next_one_read() -> None:
    chunks = [b"x" * 65536] * (MAX_LINE_BYTES // 65536 + 2)

    end = b'xx\n{"a": 1}\n'
    assert _read([*chunks, end]) == [{"a": 1}]
    assert _read([b"".join(chunks) + end]) == [{"a": 1}]
