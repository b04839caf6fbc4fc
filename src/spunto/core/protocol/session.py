"""The session between an agent and who it dialled, without I/O: handshake, epochs, liveness, floods and priorities.

Frames go in by `receive`, time by `tick`, frames come out of `next_frame`: control first, then the streams in turn.
When it is over `closed` says why; what is left in `next_frame` then is the Goodbye.
"""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from spunto.core.kernel.buckets import Bucket, Rate
from spunto.core.protocol import closing
from spunto.core.protocol.codec import ProtocolViolation, decode, encode, encode_parts, protocol_range, size_bytes
from spunto.core.protocol.events import Closed, Event, HelloReceived, MessageReceived, Welcomed
from spunto.core.protocol.messages import (
    MAX_ITEMS,
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    Credit,
    Data,
    Desired,
    DesiredItem,
    Eof,
    Forget,
    Goodbye,
    Hello,
    Limits,
    Message,
    Open,
    Ping,
    Pong,
    Reset,
    StateMessage,
    StreamControl,
    Welcome,
)
from spunto.core.protocol.multiplexer import Multiplexer


class Role(StrEnum):
    """Which side of the session this is. The agent dials and says Hello."""

    AGENT = "agent"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The patience of one side. The agent takes heartbeat and limits from the Welcome; silence is three heartbeats."""

    protocol_min: int = PROTOCOL_MIN
    protocol_max: int = PROTOCOL_MAX
    handshake_seconds: float = 10.0
    heartbeat_seconds: float = 15.0
    control_per_second: float = 200.0
    control_burst: int = 2000
    backlog_frames: int = 1024
    backlog_bytes: int = 16 * 1024 * 1024
    desired_items: int = MAX_ITEMS
    inbox_messages: int = 64
    inbox_bytes: int = 4 * 1024 * 1024
    handlers: int = 512
    flush_seconds: float = 2.0


class Session:
    """One side of one connection."""

    def __init__(
        self, role: Role, *, now: float, hello: Hello | None = None, settings: SessionSettings | None = None
    ) -> None:
        self.role = role
        self.hello = hello
        self.welcome: Welcome | None = None
        self.closed: Closed | None = None
        self.rtt_seconds: float | None = None
        self.last_received_at = now
        self._settings = settings or SessionSettings()
        self._heartbeat_seconds = self._settings.heartbeat_seconds
        self._handshake_until = now + self._settings.handshake_seconds
        self._ping_at = now + self._heartbeat_seconds
        self._ping: Ping | None = None
        self._sending_since: float | None = None
        self._bucket = Bucket(Rate(per_second=self._settings.control_per_second, burst=self._settings.control_burst))
        self._backlog: deque[str] = deque()
        self._backlog_bytes = 0
        self._parts: list[DesiredItem] = []
        self.streams = Multiplexer(first_id=self._first_id, limits=Limits(max_streams=1), post=self._post)
        if hello is not None:
            self._post(hello)

    @property
    def epoch(self) -> int:
        """The epoch of this connection; 0 before the Welcome."""
        return self.welcome.epoch if self.welcome else 0

    # What the owner does

    def accept(self, welcome: Welcome, now: float) -> None:
        """Answer the Hello that was received."""
        self._post(welcome)
        self._establish(welcome, now)

    def send(self, message: StateMessage) -> None:
        """Queue the message, in parts if it is too big for a frame. Raises ProtocolViolation if it can't be parted."""
        for frame in encode_parts(message):
            self._queue(frame)

    def close(self, code: int, reason: str, *, message: str = "", retry_after_seconds: float | None = None) -> None:
        """Say Goodbye and be closed; everything else that waits is dropped. Repeating is harmless."""
        if self.closed:
            return
        self._close(Closed(code=code, reason=reason, message=message, retry_after_seconds=retry_after_seconds))
        goodbye = Goodbye(
            code=code, reason=reason[:64], message=message[:4096], retry_after_seconds=retry_after_seconds
        )
        self._backlog.append(encode(goodbye))

    def lose(self, code: int, reason: str) -> Closed:
        """The transport is gone; gives how the session ended, which may have been before."""
        if self.closed is None:
            self._close(Closed(code=code, reason=reason, by_peer=True))
        assert self.closed is not None  # noqa: S101 - `_close` sets it
        return self.closed

    @property
    def has_frames(self) -> bool:
        """Whether `next_frame` may have something."""
        return bool(self._backlog) or self.streams.has_turns

    def next_frame(self, now: float) -> str | bytes | None:
        """The frame to send next. Asking again means that the one before has gone out."""
        frame: str | bytes | None
        if self._backlog:
            frame = self._backlog.popleft()
            self._backlog_bytes -= len(frame)
        else:
            frame = None if self.closed else self.streams.next_frame()
        self._sending_since = None if frame is None else now
        return frame

    # What time does

    @property
    def next_tick_at(self) -> float:
        """When `tick` should be called at the latest; later calls of anything never make it earlier."""
        if self.welcome is None:
            return min(self._handshake_until, self._ping_at)
        return min(self._ping_at, self.last_received_at + self._silence_seconds)

    def tick(self, now: float) -> None:
        if self.closed:
            return
        if self.welcome is None and now >= self._handshake_until:
            self.close(closing.SILENT, "handshake_timeout", message="The handshake took too long.")
        elif now >= self.last_received_at + self._silence_seconds:
            self.close(closing.SILENT, "peer_silent", message="Nothing was heard for three heartbeats.")
        elif self._sending_since is not None and now - self._sending_since >= self._silence_seconds:
            self.close(closing.BUSY, "peer_not_reading", message="A frame could not be sent for three heartbeats.")
        elif now >= self._ping_at:
            self._beat(now)

    def _beat(self, now: float) -> None:
        self._ping_at = now + self._heartbeat_seconds
        if self.welcome is not None:
            self._ping = Ping(nonce=self._ping.nonce + 1 if self._ping else 1, sent_at=now)
            self._post(self._ping)

    # What the peer does

    def receive(self, frame: str | bytes | Data, now: float) -> list[Event]:
        """Take a frame. Whatever the peer may not do ends the session; see `closed`."""
        if self.closed:
            return []
        self.last_received_at = now
        try:
            message = frame if isinstance(frame, Data) else decode(frame)
            if isinstance(message, Data):
                return self.streams.receive_data(message.stream, message.payload)
            assert not isinstance(frame, Data)  # noqa: S101 - narrows for the type checker
            if self._is_flood(message, now):
                self.close(closing.FLOODING, "too_many_frames", message="Too many frames.", retry_after_seconds=30)
                return []
            return self._receive(message, now, size=size_bytes(frame))
        except ProtocolViolation as violation:
            if isinstance(frame, Data) or not self._refuse_version(frame):
                self.close(closing.BAD_PROTOCOL, violation.code, message=violation.message)
            return []

    def _is_flood(self, message: Message, now: float) -> bool:
        if isinstance(message, Credit | StreamControl | Eof | Reset) and self.streams.is_paid(message):
            return False
        return self._bucket.take(now) > 0

    def _receive(self, message: Message, now: float, *, size: int) -> list[Event]:
        if isinstance(message, Goodbye):
            return self._receive_goodbye(message)
        if isinstance(message, Hello) and self.role is Role.SERVER and self.hello is None:
            return self._receive_hello(message)
        if self.welcome is None:
            return self._receive_welcome(message, now)
        if isinstance(message, Ping):
            self._post(Pong(nonce=message.nonce, sent_at=message.sent_at))
            return []
        if isinstance(message, Pong):
            if self._ping is not None and message.nonce == self._ping.nonce:
                self.rtt_seconds = now - self._ping.sent_at
            return []
        if isinstance(message, Open | Credit | StreamControl | Eof | Reset):
            return self.streams.receive(message, size=size)
        return self._receive_state(message, size)

    def _receive_goodbye(self, message: Goodbye) -> list[Event]:
        self._close(
            Closed(
                code=message.code,
                reason=message.reason,
                message=message.message,
                retry_after_seconds=message.retry_after_seconds,
                by_peer=True,
            )
        )
        return []

    def _receive_hello(self, hello: Hello) -> list[Event]:
        if self._refuse_versions(hello.protocol_min, hello.protocol_max):
            return []
        self.hello = hello
        return [HelloReceived(hello, min(self._settings.protocol_max, hello.protocol_max))]

    def _receive_welcome(self, message: Message, now: float) -> list[Event]:
        if self.role is Role.SERVER or not isinstance(message, Welcome):
            raise ProtocolViolation(f"A {message.type} has no place in the handshake.")
        if not self._settings.protocol_min <= message.protocol <= self._settings.protocol_max:
            raise ProtocolViolation(f"Protocol {message.protocol} was not offered.")
        self._establish(message, now)
        return [Welcomed(message)]

    def _receive_state(self, message: Message, size: int) -> list[Event]:
        to_agent = isinstance(message, Desired | Forget)
        if not isinstance(message, StateMessage) or to_agent == (self.role is Role.SERVER):
            raise ProtocolViolation(f"A {message.type} has no place here.")
        if message.epoch > self.epoch:
            raise ProtocolViolation(f"Epoch {message.epoch} is not of this connection.")
        if message.epoch < self.epoch:
            return []
        if not isinstance(message, Desired):
            return [MessageReceived(message, size)]
        self._parts.extend(message.items)
        if len(self._parts) > self._settings.desired_items:
            raise ProtocolViolation(f"More than {self._settings.desired_items} items are desired.")
        if message.more:
            return []
        whole, self._parts = replace(message, items=tuple(self._parts)), []
        return [MessageReceived(whole, size)]

    def _refuse_version(self, frame: str | bytes) -> bool:
        """A Hello of the future may be unreadable but for its versions: answer those."""
        if self.role is Role.AGENT or self.hello is not None:
            return False
        versions = protocol_range(frame)
        return versions is not None and self._refuse_versions(*versions)

    def _refuse_versions(self, lowest: int, highest: int) -> bool:
        ours = self._settings
        if max(lowest, ours.protocol_min) <= min(highest, ours.protocol_max):
            return False
        spoken = (
            f"The agent speaks protocol {lowest} to {highest}, this server {ours.protocol_min} to {ours.protocol_max}."
        )
        self.close(closing.BAD_PROTOCOL, "protocol_unsupported", message=spoken)
        return True

    # Bookkeeping

    @property
    def _first_id(self) -> int:
        return 1 if self.role is Role.AGENT else 2

    @property
    def _silence_seconds(self) -> float:
        return 3 * self._heartbeat_seconds

    def _establish(self, welcome: Welcome, now: float) -> None:
        self.welcome = welcome
        self._heartbeat_seconds = welcome.heartbeat_seconds
        self._ping_at = min(self._ping_at, now + welcome.heartbeat_seconds)
        self.streams = Multiplexer(first_id=self._first_id, limits=welcome.limits, post=self._post)

    def _post(self, message: Message) -> None:
        self._queue(encode(message))

    def _queue(self, frame: str) -> None:
        if self.closed:
            return
        self._backlog.append(frame)
        self._backlog_bytes += len(frame)
        if len(self._backlog) > self._settings.backlog_frames or self._backlog_bytes > self._settings.backlog_bytes:
            self.close(closing.BUSY, "backlog_full", message="Frames are not taken off as fast as they are made.")

    def _close(self, closed: Closed) -> None:
        self.closed = closed
        self._backlog.clear()
        self._backlog_bytes = 0
