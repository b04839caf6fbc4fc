"""The WebSockets in words: OpenAPI knows none, so they stand in `x-websockets`, with access, frames and close codes."""

from collections.abc import Mapping
from typing import Any, Final

from spunto.entrypoints.http.openapi.paths import auth_of
from spunto.entrypoints.serving.endpoints import WEBSOCKETS

_COMMON_CODES: Final[Mapping[str, str]] = {
    "1000": "Ended: the shell's last frame was `exit`, the log is over, or the worker does not run.",
    "1011": "A bug in Spunto.",
    "1012": "The server restarts: come back at once, with the session and the offset.",
    "1013": "The node or the server can't go on now: come back later.",
    "4400": "A frame was not understood.",
    "4401": "The credential is not good any more.",
    "4403": "You may not be here any more.",
    "4404": "The worker or the terminal is gone; `session_lost` where the node lost it.",
    "4409": "The terminal was attached to from elsewhere, by an agent of before.",
    "4422": "The node can't do what was asked for.",
    "4429": "Too many terminals.",
}
_SAID: Final[Mapping[str, Mapping[str, Any]]] = {
    "/api/workers/{workerId}/terminal": {
        "summary": "A worker's terminal, or with `mode=logs` its live log",
        "description": (
            "An interactive shell in a PTY that lives on the node: it outlives the connection, and is entered again by "
            "the `session` and `offset` that the last frames told. Several may look at one and type into it; the "
            "smallest size of theirs holds, until a `resize` takes it. The last 17 MiB of output are kept, most of it "
            "on the node's disk; `lost` says what is not. A terminal goes on for ten minutes after the last look, one "
            "with a `name` for a week. Refusals come before the upgrade, as problems. With the session cookie the "
            "upgrade needs an `Origin` of this server. Frames are JSON, as text messages; with `frames=binary` what is "
            "typed and said goes as binary messages, and only the rest as JSON. Whether you may still be here is "
            "looked at again every half minute and when rights change. `mode=logs` needs the action `worker.read` "
            "alone: scope `workers:read`, of any member."
        ),
        "parameters": {
            "mode": "`terminal` (default) or `logs`.",
            "cols": "1 to 4096 (80), the terminal's first width.",
            "rows": "1 to 4096 (24), the terminal's first height.",
            "session": "A terminal to enter again, from its `ready` frame.",
            "name": "Enter the terminal of this name, or open it; agents of before know none (503 `agent_too_old`).",
            "frames": "`json` (default) or `binary`.",
            "offset": "How many bytes of its output you have seen; output goes on from there.",
            "tail": "1 to 10000 (200): how many lines of the log come first, with `mode=logs`.",
        },
        "serverFrames": [
            {"type": "ready", "session": "string", "offset": "integer"},
            {"type": "output", "data": "base64", "offset": "integer"},
            {"type": "size", "cols": "integer", "rows": "integer"},
            {"type": "lost", "bytes": "integer", "offset": "integer: where output goes on"},
            {"type": "exit", "code": "integer"},
            {"type": "line", "at": "RFC 3339", "stream": "stdout or stderr", "line": "string, with mode=logs"},
            {"type": "error", "code": "string", "message": "string"},
        ],
        "clientFrames": [
            {"type": "input", "data": "base64, at most 64 KiB"},
            {"type": "resize", "cols": "1 to 4096", "rows": "1 to 4096", "take": "boolean, may be left out"},
        ],
        "closeCodes": _COMMON_CODES,
    },
    "/api/agent/connect": {
        "summary": "The connection of a node's agent",
        "description": (
            "For agents alone: one WebSocket for everything, dialled by the agent with its node's token as "
            "`Authorization: Bearer`, or in the query, which proxies may log. Text frames are JSON control messages, "
            "binary frames a stream's bytes; the agent's first message is `hello`, the server's answer `welcome`."
        ),
        "parameters": {"token": "The node's token, where it does not come as Bearer."},
        "serverFrames": [{"type": "welcome"}, {"type": "ping"}, {"type": "pong"}],
        "clientFrames": [{"type": "hello"}, {"type": "ping"}, {"type": "pong"}],
        "closeCodes": {
            "1012": "The server restarts: come back at once, with jitter.",
            "1013": "The server can't serve now: come back later.",
            "4400": "A message broke the protocol.",
            "4401": "The token is unknown or was rotated: stop, and wait for the operator.",
            "4403": "The node is shut out or was deleted: stop, and wait for the operator.",
            "4408": "Nothing was heard in time.",
            "4409": "Another agent with this token connected later: stay away for at least a minute.",
            "4429": "More frames than allowed.",
        },
    },
    "/api/edge/connect": {
        "summary": "The connection of an edge",
        "description": (
            "For edges alone: one WebSocket for everything, dialled by the edge with its token as `Authorization: "
            "Bearer`. It is told which routes there are, says which it goes by, and asks who may pass."
        ),
        "parameters": {},
        "serverFrames": [{"type": "welcome"}, {"type": "desired"}, {"type": "ping"}, {"type": "pong"}],
        "clientFrames": [{"type": "hello"}, {"type": "observed"}, {"type": "ping"}, {"type": "pong"}],
        "closeCodes": {
            "1012": "The server restarts: come back at once, with jitter.",
            "1013": "The server can't serve now: come back later.",
            "4400": "A message broke the protocol.",
            "4401": "The token is unknown: stop, and wait for the operator.",
            "4403": "The edge was removed: stop, and wait for the operator.",
            "4408": "Nothing was heard in time.",
            "4409": "Another edge with this token connected later: stay away for at least a minute.",
            "4429": "More frames than allowed.",
        },
    },
}


def websockets_of(paths: list[str]) -> list[dict[str, Any]]:
    """What is known of the sockets at these paths."""
    return [
        {"path": path, "x-auth": auth_of(WEBSOCKETS[path]), **_SAID.get(path, {})}
        for path in paths
        if path in WEBSOCKETS
    ]
