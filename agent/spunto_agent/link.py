"""Keeps the node connected: dials, serves, and dials again, until the server says that this agent is not wanted."""

import random
from collections.abc import Callable

from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.uplink import Uplink
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log
from spunto.core.kernel.secret import Secret
from spunto.core.protocol import closing
from spunto.core.protocol.events import Closed
from spunto_agent.reconnecting import Outage, wait_seconds
from spunto_agent.transport import Refused, dial

_ADVICE = {
    closing.UNAUTHENTICATED: "The server does not know this token; rotate it and start the agent with the new one.",
    closing.FORBIDDEN: "The server shut this agent out; its token was rotated or its node removed or quarantined.",
    closing.SUPERSEDED: "Another agent connected with this node's token; run one agent a node.",
    closing.BAD_PROTOCOL: "Server and agent do not understand one another; update the older of the two.",
}


class Link:
    def __init__(
        self,
        url: str,
        token: Secret,
        *,
        uplink: Uplink,
        runner: NodeRunner,
        clock: Clock,
        log: Log,
        socket_path: str | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._socket_path = socket_path
        self._url = url
        self._token = token
        self._uplink = uplink
        self._runner = runner
        self._clock = clock
        self._log = log
        self._jitter = jitter

    async def run(self) -> Closed:
        """Stay connected until the server turns the agent away for good; gives its words."""
        outage = Outage(since=self._clock.monotonic())
        while True:
            closed, connected_seconds = await self._connect_once()
            now = self._clock.monotonic()
            outage = outage.after(connected_seconds=connected_seconds, now=now)
            wait = wait_seconds(closed, outage, now=now, jitter=self._jitter())
            self._log(
                "disconnected",
                code=closed.code,
                reason=closed.reason,
                message=closed.message or None,
                advice=_ADVICE.get(closed.code),
                again_in_seconds=None if wait is None else round(wait, 2),
            )
            if wait is None:
                return closed
            if closed.code == closing.SUPERSEDED:
                self._runner.stand_down()
            await self._clock.sleep(wait)

    async def _connect_once(self) -> tuple[Closed, float]:
        try:
            transport = await dial(self._url, self._token, socket_path=self._socket_path)
        except Refused as refused:
            return refused.closed, 0.0
        begun = self._clock.monotonic()
        closed = await self._uplink.serve(transport)
        return closed, self._clock.monotonic() - begun


def advice_for(closed: Closed) -> str:
    """What the operator should do, in one line."""
    return " ".join(filter(None, (_ADVICE.get(closed.code), closed.message)))
