"""What whoever holds terminals guarantees, in the agent's own process or beside it."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from spunto.core.executor.runtime import ContainerGone
from spunto.core.executor.terminals.port import (
    Ended,
    SessionView,
    Sight,
    Size,
    TerminalHolder,
    Viewing,
    Wish,
)
from spunto.core.kernel.errors import NotFound, SpuntoError
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS

WIDE, NARROW, TALL = Size(cols=120, rows=30), Size(cols=80, rows=24), Size(cols=90, rows=50)


Enter = Callable[..., Awaitable[Viewing]]
"""Enters a terminal of the container by the fields of a wish; it is left at the end of the test."""


class TerminalHolderContract:
    """`holder` runs, and `container` does and has a shell that knows `stty size`."""

    @pytest.fixture
    def holder(self) -> TerminalHolder:
        raise NotImplementedError

    @pytest.fixture
    def container(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    async def enter(self, holder: TerminalHolder, container: str) -> AsyncIterator[Enter]:
        async with AsyncExitStack() as stack:

            async def enter(size: Size = WIDE, **wanted: Any) -> Viewing:
                viewing = await holder.enter(Wish(**{"container": container, "size": size, **wanted}))
                stack.push_async_callback(viewing.aclose)
                return viewing

            yield enter

    async def test_a_shell_is_typed_into_and_tells_its_end_to_everybody(
        self, holder: TerminalHolder, container: str, enter: Enter
    ) -> None:
        one = await enter()
        other = await enter(session=one.session)
        await one.write(b"exit 3\n")
        ends = [await _end_of(each) for each in (one, other)]
        late = await enter(session=one.session)
        ends.append(await _end_of(late))

        assert ends == [Ended(exit_code=3)] * 3
        assert await holder.list(container) == []

    async def test_output_is_the_same_for_all_from_any_offset(
        self, holder: TerminalHolder, container: str, enter: Enter
    ) -> None:
        one = await enter()
        await one.write(b"echo he''llo\n")
        seen = await _read_to(one, b"hello\r\n")
        await one.aclose()
        again = await enter(session=one.session, offset=len(seen) - 5)
        beyond = await enter(session=one.session, offset=10**9)
        await again.write(b"echo m''ore\n")

        assert again.offset == len(seen) - 5
        assert (await _read_to(again, b"more\r\n")).startswith(seen[-5:])
        assert b"hello" not in await _read_to(beyond, b"more\r\n")

    async def test_the_smallest_size_holds_until_somebody_takes_it(
        self, holder: TerminalHolder, container: str, enter: Enter
    ) -> None:
        wide = await enter()
        assert await _size_by_stty(wide) == (30, 120)

        tall = await enter(TALL, session=wide.session)
        assert await _size_by_stty(tall) == (30, 90)
        assert await _until_told(wide) == Size(cols=90, rows=30)

        await wide.resize(WIDE, takes=True)
        assert await _until_told(tall, WIDE) == WIDE
        assert await _size_by_stty(tall) == (30, 120)

        await wide.aclose()
        assert await _until_told(tall, TALL) == TALL
        assert await _size_by_stty(tall) == (50, 90)
        await tall.resize(NARROW, takes=False)
        assert await _size_by_stty(tall) == (24, 80)

    async def test_a_name_is_one_terminal_s_for_as_long_as_that_lives(
        self, holder: TerminalHolder, container: str, enter: Enter
    ) -> None:
        one, other = await asyncio.gather(enter(name="build"), enter(name="build"))
        unnamed = await enter()
        assert one.session == other.session != unnamed.session

        await holder.end(container, one.session)
        await _end_of(one)
        anew = await enter(name="build")

        assert anew.session not in (one.session, unnamed.session)

    async def test_living_terminals_are_listed_and_hung_up(
        self, holder: TerminalHolder, container: str, enter: Enter
    ) -> None:
        one = await enter(name="one")
        other = await enter(TALL)
        await other.aclose()
        listed = await _until_left(holder, container)
        await holder.end(container, one.session)
        await _end_of(one)

        assert [(each.session, each.name, each.size, each.viewers) for each in listed] == [
            (one.session, "one", WIDE, 1),
            (other.session, None, TALL, 0),
        ]
        assert listed[0].left_seconds is None
        assert [each.session for each in await holder.list(container)] == [other.session]
        with pytest.raises(NotFound) as refused:
            await holder.end(container, one.session)
        assert refused.value.code == "terminal_not_found"

    async def test_what_is_not_there_is_refused(self, holder: TerminalHolder, container: str, enter: Enter) -> None:
        one = await enter()
        refusals = []
        for wanted in (
            {"session": "nobody-s"},
            {"container": f"{container}-other", "session": one.session},
            {"container": f"{container}-other"},
        ):
            with pytest.raises(SpuntoError) as refused:
                await enter(**wanted)
            refusals.append(refused.value.code)

        assert refusals == ["terminal_not_found", "terminal_not_found", ContainerGone("").code]
        assert await holder.list(f"{container}-other") == []


async def _read_to(viewing: Viewing, end: bytes) -> bytes:
    said = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while end not in said:
            sight = await viewing.next()
            said += sight if isinstance(sight, bytes) else b""
    return said


async def _end_of(viewing: Viewing) -> Sight:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not isinstance(sight := await viewing.next(), Ended):
            pass
    return sight


async def _until_told(viewing: Viewing, size: Size | None = None) -> Size:
    """The next size that is told, or the one that is waited for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not isinstance(sight := await viewing.next(), Size) or size not in (None, sight):
            pass
    return sight


async def _size_by_stty(viewing: Viewing) -> tuple[int, int]:
    """Rows and columns as a program in the terminal sees them."""
    mark = secrets.token_hex(4)
    await viewing.write(f"echo {mark}; stty size\n".encode())
    answer = re.compile(rf"{mark}\r\n(\d+) (\d+)\r\n".encode())
    said = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := answer.search(said)) is None:
            sight = await viewing.next()
            said += sight if isinstance(sight, bytes) else b""
    return int(found[1]), int(found[2])


async def _until_left(holder: TerminalHolder, container: str) -> Sequence[SessionView]:
    """The list, as soon as somebody who has looked away counts no more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            listed = await holder.list(container)
            if any(each.left_seconds is not None for each in listed):
                return listed
