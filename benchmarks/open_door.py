"""A server like `spunto serve`, which lets requests without a credential in as whoever came with an API key last.

Only to measure what authentication costs: such a request goes through everything but it, the check of what its actor
may do included. Nobody but the benchmarks starts this module.
"""

import sys

from werkzeug.datastructures import Headers

from spunto.core.access.model import Actor
from spunto.entrypoints import serve, server
from spunto.entrypoints.serving.limits import Gate


class OpenGate(Gate):
    _last: Actor

    async def admit(self, headers: Headers, *, method: str, request_id: str, peer: str | None) -> Actor:
        if "Authorization" not in headers:
            return self._last
        actor = await super().admit(headers, method=method, request_id=request_id, peer=peer)
        if actor.api_key_id is not None:
            self._last = actor
        return actor


if __name__ == "__main__":
    server.Gate = OpenGate  # type: ignore[attr-defined]  # the only seam that a server's own module has for it
    sys.exit(serve.main())
