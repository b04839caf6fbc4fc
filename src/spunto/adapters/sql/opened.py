"""A context that another one stands around, without the generator by which contextlib would make it at thrice the
cost: a read opens three of them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, TypeVar

Inner = TypeVar("Inner")
Outer_co = TypeVar("Outer_co", covariant=True)


class Opened(Generic[Inner, Outer_co]):
    """Gives what `make` makes of what the inner context gives, and ends with it."""

    def __init__(self, opening: AbstractAsyncContextManager[Inner], make: Callable[[Inner], Outer_co]) -> None:
        self._opening = opening
        self._make = make

    async def __aenter__(self) -> Outer_co:
        return self._make(await self._opening.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._opening.__aexit__(kind, error, trace)
