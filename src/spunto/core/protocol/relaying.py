"""What a session between an edge and a node's agent agrees on; the agent dials, and the edge opens the streams."""

from datetime import datetime
from typing import Final

from spunto.core.protocol.messages import EngineReport, Hello, JsonObject, Limits, Resources, Welcome
from spunto.core.protocol.session import SessionSettings

RELAY_PATH: Final = "/api/tunnel/relay"
TCP: Final = "tcp"
"""The kind of stream: bytes to and from a port. Its params are `{"subjectId", "port"}`."""
CONNECTED: Final[JsonObject] = {"connected": True}
"""Comes from the agent before the first byte, so that whoever opened the stream knows that somebody listens."""
DIAL: Final = "dial"
"""The order to an agent, on its control session: `{"url", "ticket"}`. Its end says that the relay stands."""
MAX_STREAMS: Final = 4096
IDLE_SECONDS: Final = 60.0
# Windows and the number of streams bound what comes in. Each connection to a port costs some frames, so that the narrow
# bound of a control session would be one for honest traffic.
RELAY_SETTINGS: Final = SessionSettings(
    control_per_second=20_000,
    control_burst=40_000,
    backlog_frames=16_384,
    handlers=MAX_STREAMS,
)
RELAY_LIMITS: Final = Limits(window_bytes=1024 * 1024, max_streams=MAX_STREAMS)


def relay_hello(*, instance_id: str, agent_version: str) -> Hello:
    """An agent's first word to an edge, which places nothing: engine and room are said to servers alone."""
    return Hello(
        agent_version=agent_version,
        instance_id=instance_id,
        boot_id=instance_id,
        capabilities=(),
        engine=EngineReport(name="", version=""),
        resources=Resources(cpu_millis=0, memory_bytes=0, max_worker_cpu_millis=0),
    )


def relay_welcome(*, protocol: int, node_id: str, edge_id: str, now: datetime) -> Welcome:
    """An edge's answer to the agent of that node."""
    return Welcome(
        protocol=protocol, epoch=1, timeline_id=edge_id, node_id=node_id, server_time=now, limits=RELAY_LIMITS
    )
