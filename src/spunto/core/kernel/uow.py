"""Units of work: all or nothing, and started again when another writer was faster."""

import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import ParamSpec, Protocol, TypeVar

from spunto.core.kernel.errors import StaleVersion

Tx_co = TypeVar("Tx_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")
ATTEMPTS = 5


class Transaction(Protocol):
    """What every transaction can do beside its repositories."""

    async def commit(self) -> None:
        """Make everything permanent and let the hints out. Raises StaleVersion; without a commit nothing happened."""

    def hint(self, topic: str) -> None:
        """After the commit, wake whoever waits on the topic. A lost hint costs the poll interval, nothing else."""


class UnitOfWork(Protocol[Tx_co]):
    """Opens transactions; the repositories of a slice's transaction are named in its `ports` module."""

    def __call__(self) -> AbstractAsyncContextManager[Tx_co]:
        """A transaction that may write. Leaving it without `commit` rolls it back."""

    def reading(self) -> AbstractAsyncContextManager[Tx_co]:
        """A cheaper one for reads; each statement sees committed rows, two statements may see different moments."""


def retried(use_case: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Run the whole use case again when it lost a race; after a few losses the reader hears the conflict."""

    @functools.wraps(use_case)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return await use_case(*args, **kwargs)
            except StaleVersion:
                continue
        return await use_case(*args, **kwargs)

    return run
