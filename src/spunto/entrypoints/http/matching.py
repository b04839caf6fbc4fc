"""How the application's routes are kept: to be matched alone."""

from collections.abc import Callable
from typing import NoReturn

from quart.routing import QuartRule


class Route(QuartRule):
    """Nobody asks Quart for the URL of an endpoint, and compiling what would build it takes three quarters of the time
    in which the application is made."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _build


def _build(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("URLs of routes are written, not built")
