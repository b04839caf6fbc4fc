"""What carries a session's frames."""

from typing import Protocol

from spunto.core.protocol.messages import Data


class TransportClosed(Exception):
    """No frame goes through any more, with what the other side or the network gave as the reason."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Transport(Protocol):
    """Whole frames in order, as a WebSocket carries them."""

    async def send(self, frame: str | bytes) -> None:
        """Send one frame; waits while the other side does not read. Raises TransportClosed."""

    async def receive(self) -> str | bytes | Data:
        """The next frame; a data frame may have been read already. Raises TransportClosed."""

    async def close(self, code: int, reason: str) -> None:
        """Let go of it; never raises. Repeating is harmless."""
