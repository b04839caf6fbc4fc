"""What a session tells its owner about what came in."""

from dataclasses import dataclass

from spunto.core.protocol.messages import Hello, JsonObject, Reset, StateMessage, Welcome


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """An agent asks in; `protocol` is the highest version that both speak. To be answered by `welcome` or `close`."""

    hello: Hello
    protocol: int


@dataclass(frozen=True, slots=True)
class Welcomed:
    welcome: Welcome


@dataclass(frozen=True, slots=True)
class MessageReceived:
    message: StateMessage
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StreamOpened:
    stream: int
    kind: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class StreamReady:
    """Something changed for who reads from or writes to the stream: look again."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """What a stream gives after its last piece: a clean end, or the reset that cut it off."""

    reset: Reset | None = None


Event = HelloReceived | Welcomed | MessageReceived | StreamOpened | StreamReady


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """How a session ended, and who said so."""

    code: int
    reason: str
    message: str = ""
    retry_after_seconds: float | None = None
    by_peer: bool = False
