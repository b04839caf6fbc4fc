"""Two sessions and any order of events: each byte arrives once and in order, and everything is forgotten in the end."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.core.protocol.messages import observed
from tests.unit.core.protocol.sessions import SMALL, WINDOW, an_open_pair

from spunto.core.kernel.errors import Conflict
from spunto.core.protocol.events import StreamEnd, StreamOpened
from spunto.core.protocol.messages import (
    Forget,
)
from spunto.core.protocol.multiplexer import StreamReset

SIDES = st.sampled_from(["agent", "server"])


class TwoSessions(RuleBasedStateMachine):
    """Whatever both applications do and however frames are delayed, each byte arrives once and in order."""

    @initialize()
    def connect(self) -> None:
        pair = an_open_pair(limits=SMALL)
        self.sessions = {"agent": pair.agent, "server": pair.server}
        self.wires: dict[str, list[str | bytes]] = {"agent": [], "server": []}  # by sender
        self.known: dict[str, list[int]] = {"agent": [], "server": []}
        self.written: dict[tuple[str, int], list[Any]] = {}  # by writer
        self.taken: dict[tuple[str, int], list[Any]] = {}  # by reader
        self.ends: dict[tuple[str, int], StreamEnd] = {}
        self.cut: set[int] = set()  # streams that were reset or closed by somebody
        self.ended: set[tuple[str, int]] = set()
        self.count = 0

    def stream(self, side: str, pick: int) -> int | None:
        known = self.known[side]
        return known[pick % len(known)] if known else None

    def learn(self, side: str, stream: int) -> None:
        self.known[side].append(stream)
        self.written[side, stream] = []
        self.taken[side, stream] = []

    @rule(side=SIDES)
    def open(self, side: str) -> None:
        streams = self.sessions[side].streams
        if len(streams) < SMALL.max_streams:
            self.learn(side, streams.open("exec", {}))

    @rule(side=SIDES, pick=st.integers(0, 9), size=st.sampled_from([1, 7, 1000, 40_000, WINDOW]))
    def write(self, side: str, pick: int, size: int) -> None:
        stream = self.stream(side, pick)
        if stream is None or not (room := self.room(side, stream)):
            return
        self.count += 1
        data = bytes([self.count % 256]) * min(size, room)
        self.sessions[side].streams.write(stream, data)
        self.written[side, stream].append(data)

    @rule(side=SIDES, pick=st.integers(0, 9), size=st.sampled_from([1, 300, 10_000]))
    def write_control(self, side: str, pick: int, size: int) -> None:
        stream = self.stream(side, pick)
        if stream is None or not self.room(side, stream):
            return
        body = {"ü": "x" * size}
        if self.sessions[side].streams.write_control(stream, body):
            self.written[side, stream].append(body)

    @rule(side=SIDES, pick=st.integers(0, 9))
    def write_eof(self, side: str, pick: int) -> None:
        stream = self.stream(side, pick)
        if stream is not None and self.room(side, stream) is not None:
            self.sessions[side].streams.write_eof(stream)
            self.ended.add((side, stream))

    @rule(side=SIDES, pick=st.integers(0, 9), pieces=st.integers(1, 5))
    def take(self, side: str, pick: int, pieces: int) -> None:
        stream = self.stream(side, pick)
        for _ in range(pieces if stream is not None else 0):
            assert stream is not None
            self.take_one(side, stream)

    @rule(side=SIDES, pick=st.integers(0, 9), how=st.sampled_from(["close", "break off", "reset"]))
    def let_go(self, side: str, pick: int, how: str) -> None:
        stream = self.stream(side, pick)
        if stream is None:
            return
        if how == "close":
            self.sessions[side].streams.close(stream)
        elif how == "break off":
            self.sessions[side].streams.break_off(stream, "broken", "")
        else:
            self.sessions[side].streams.reset(stream, "aborted", "")
        self.known[side].remove(stream)
        self.cut.add(stream)

    @rule(side=SIDES)
    def speak(self, side: str) -> None:
        session = self.sessions[side]
        session.send(observed("w") if side == "agent" else Forget(epoch=7, ids=()))
        frame = session.next_frame(0)
        assert isinstance(frame, str), "control overtakes data"
        self.wires[side].append(frame)

    @rule(side=SIDES, frames=st.integers(1, 20))
    def send(self, side: str, frames: int) -> None:
        for _ in range(frames):
            if (frame := self.sessions[side].next_frame(0)) is not None:
                self.wires[side].append(frame)

    @precondition(lambda self: any(self.wires.values()))
    @rule(side=SIDES, frames=st.integers(1, 20))
    def deliver(self, side: str, frames: int) -> None:
        receiver = "server" if side == "agent" else "agent"
        arriving, self.wires[side] = self.wires[side][:frames], self.wires[side][frames:]
        for frame in arriving:
            for event in self.sessions[receiver].receive(frame, 0):
                if isinstance(event, StreamOpened):
                    self.learn(receiver, event.stream)

    def room(self, side: str, stream: int) -> int | None:
        try:
            return self.sessions[side].streams.room(stream)
        except (Conflict, StreamReset):
            return None

    def take_one(self, side: str, stream: int) -> bool:
        piece = self.sessions[side].streams.take(stream)
        if piece is None or (side, stream) in self.ends:
            return False
        if isinstance(piece, StreamEnd):
            self.ends[side, stream] = piece
        else:
            self.taken[side, stream].append(piece)
            assert joined(self.written[other(side), stream]).startswith(joined(self.taken[side, stream]))
        return True

    @invariant()
    def nobody_is_accused(self) -> None:
        assert [session.closed for session in self.sessions.values()] == [None, None]

    @invariant()
    def what_is_under_way_fits_the_window(self) -> None:
        for (side, stream), written in self.written.items():
            taken = self.taken.get((other(side), stream), [])
            assert volume(written) - volume(taken) <= WINDOW or stream in self.cut

    def teardown(self) -> None:
        if not hasattr(self, "sessions"):
            return
        self.settle()
        for side, known in self.known.items():
            for stream in known:
                while self.take_one(side, stream):
                    self.settle()
                if stream not in self.cut and stream in self.known[other(side)]:  # else it was refused
                    assert joined(self.taken[side, stream]) == joined(self.written[other(side), stream])
                    end = StreamEnd() if (other(side), stream) in self.ended else None
                    assert self.ends.get((side, stream)) == end
        for side in self.known:
            while self.known[side]:
                self.let_go(side, 0, how="close")
        self.settle()
        assert [len(session.streams) for session in self.sessions.values()] == [0, 0]
        assert [session.streams._resetting for session in self.sessions.values()] == [{}, {}]

    def settle(self) -> None:
        busy = True
        while busy:
            for side in self.sessions:
                self.send(side, 10_000)
            busy = any(self.wires.values())
            for side in self.sessions:
                self.deliver(side, 10_000)


def other(side: str) -> str:
    return "server" if side == "agent" else "agent"


def joined(pieces: list[Any]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else repr(piece).encode() for piece in pieces)


def volume(pieces: list[Any]) -> int:
    return sum(len(piece) if isinstance(piece, bytes) else len(piece["ü"]) for piece in pieces)


TestTwoSessions = TwoSessions.TestCase


TestTwoSessions.settings = settings(
    max_examples=min(60, settings().max_examples), stateful_step_count=60, deadline=None
)
