"""Fixtures for tests of use cases."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from tests.unit.core.memory import Memory

Background = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


@pytest.fixture
async def memory() -> Memory:
    """One organization with an owner and a member over the memory store."""
    memory = Memory()
    await memory.populate()
    return memory


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    """Lets something run beside the test, and ends it with the test."""
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        tasks.append(asyncio.ensure_future(work))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
