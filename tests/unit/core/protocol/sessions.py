"""Two sessions that talk to each other, for tests."""

from dataclasses import dataclass, field
from typing import Any

from tests.unit.core.protocol.messages import a_hello, a_welcome

from spunto.core.protocol.events import Event
from spunto.core.protocol.messages import Limits
from spunto.core.protocol.session import Role, Session, SessionSettings

WINDOW = 64 * 1024
SMALL = Limits(window_bytes=WINDOW, max_streams=4)


@dataclass
class Pair:
    """An agent and a server whose frames arrive at once, at time `now`."""

    agent: Session
    server: Session
    now: float = 0.0
    agent_events: list[Event] = field(default_factory=list)
    server_events: list[Event] = field(default_factory=list)

    def exchange(self) -> None:
        """Carry frames until both have nothing more to say."""
        while self.to_server() + self.to_agent():
            pass

    def to_server(self) -> int:
        return self._carry(self.agent, self.server, self.server_events)

    def to_agent(self) -> int:
        return self._carry(self.server, self.agent, self.agent_events)

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds
        self.agent.tick(self.now)
        self.server.tick(self.now)

    def _carry(self, sender: Session, receiver: Session, events: list[Event]) -> int:
        frames = 0
        while (frame := sender.next_frame(self.now)) is not None:
            events += receiver.receive(frame, self.now)
            frames += 1
        return frames


def a_greeting_pair(*, server: SessionSettings | None = None, **hello: Any) -> Pair:
    """Before the first frame."""
    return Pair(
        agent=Session(Role.AGENT, now=0, hello=a_hello(**hello)),
        server=Session(Role.SERVER, now=0, settings=server or SessionSettings()),
    )


def an_open_pair(*, server: SessionSettings | None = None, **welcome: Any) -> Pair:
    """After the handshake, with no events left."""
    pair = a_greeting_pair(server=server)
    pair.exchange()
    pair.server.accept(a_welcome(**welcome), now=0)
    pair.exchange()
    pair.agent_events.clear()
    pair.server_events.clear()
    return pair
