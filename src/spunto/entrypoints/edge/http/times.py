"""How long the front waits for whom."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """In seconds; each is looked at once a tick."""

    tick: float = 1.0
    head: float = 10.0
    """For a request's head to come whole."""
    idle: float = 65.0
    """For the next request on a connection."""
    stalled: float = 300.0
    """In which somebody takes or sends not one byte of what is due."""
    leaving: float = 5.0
    """Of silence after a client said that it sends no more; it may have gone. Also to read what nobody wants."""
    connect: float = 60.0
    """For a target that does not bound by itself how long it takes to connect."""
    kept_at_most: float = 60.0
    """For a connection to an origin that nobody uses."""
