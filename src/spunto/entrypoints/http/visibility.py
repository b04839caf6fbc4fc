"""Which routes are open to everybody: only those that say so."""

from collections.abc import Callable
from typing import Any, TypeVar

V = TypeVar("V", bound=Callable[..., Any])
_MARK = "is_public"


def public(view: V) -> V:
    """Let the route be used without a credential; it then gets no `actor`."""
    setattr(view, _MARK, True)
    return view


def is_public(view: Callable[..., Any]) -> bool:
    return getattr(view, _MARK, False)
