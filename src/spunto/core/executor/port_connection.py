"""A connection to a TCP port of a container, as every engine gives one."""

from typing import Protocol

from spunto.core.kernel.errors import Unavailable


class PortRefused(Unavailable):
    """Nobody listens on the port."""

    def __init__(self, port: int, detail: str = "of the worker") -> None:
        super().__init__("connection_refused", f"Nothing listens on port {port} {detail}.", port=port)


class PortUnreachable(Unavailable):
    """The node can't get to the port: it does not answer in time, or the container's network is closed to the agent."""

    def __init__(self, port: int, detail: str) -> None:
        super().__init__("port_unreachable", f"Port {port} can't be reached from the node: {detail}", port=port)


class PortBroken(Unavailable):
    """The program at the port broke the connection off."""

    def __init__(self) -> None:
        super().__init__("connection_reset", "The program behind the port broke the connection off.")


class PortConnection(Protocol):
    """Bytes both ways; each direction ends by itself. One task reads, one writes."""

    async def read(self) -> bytes | None:
        """The next bytes as they come; None at the end. Slow reading slows the program.

        Raises PortBroken behind what the program had said.
        """

    async def write(self, data: bytes) -> None:
        """Send, as fast as the program reads. Raises PortBroken; reading still gives what had come."""

    async def write_eof(self) -> None:
        """End our direction; the other goes on. Repeating is harmless."""

    def abort(self) -> None:
        """Break it off at once, so that the program notices. Repeating is harmless."""

    async def aclose(self) -> None:
        """Let go of it; what was written still goes out. Repeating is harmless."""
