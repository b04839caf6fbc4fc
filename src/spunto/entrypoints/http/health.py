"""Whether this process lives, and whether it should be given work."""

from collections.abc import Awaitable, Callable
from typing import Literal

from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.kernel.build import this_build
from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.responses import json_response

Readiness = Callable[[], Awaitable[str | None]]
"""Says why the process should be given no work now; None when it should. It bounds its own wait."""


class HealthOut(TypedDict):
    """`commit` is empty where the server does not know which one it was built from."""

    status: Literal["ok"]
    version: str
    commit: str


class ReadinessOut(TypedDict):
    status: Literal["ready"]


def health_blueprint(readiness: Readiness) -> Blueprint:
    routes = Blueprint("health", __name__)
    build = this_build()

    @routes.get("/healthz")
    @operation("Say that the process lives", answers={200: HealthOut}, operation_id="getHealth")
    async def healthz() -> Response:
        alive: HealthOut = {"status": "ok", "version": build.version, "commit": build.commit}
        return json_response(alive)

    @routes.get("/readyz")
    @operation(
        "Say whether the process should be given work",
        answers={200: ReadinessOut},
        errors=("not_ready",),
        operation_id="getReadiness",
    )
    async def readyz() -> Response:
        obstacle = await readiness()
        if obstacle is not None:
            raise Unavailable("not_ready", obstacle, retry_after_seconds=1)
        willing: ReadinessOut = {"status": "ready"}
        return json_response(willing)

    return routes
