"""Every refusal inside an organization is noted at the door, when the answer to it is already decided."""

from quart import Quart, Response, g

from spunto.core.access.model import Actor, OrgId
from spunto.core.access.policy import Action
from spunto.core.activity.refusals import Refusals
from spunto.core.kernel.errors import Forbidden, NotFound


def install_refusals(app: Quart, refusals: Refusals) -> None:
    """Doors leave `actor`, `action`, `org_id`, `target_id` in `g` before they ask a use case."""

    def note() -> None:
        error = g.get("refused")
        actor: Actor | None = g.get("actor")
        org_id: OrgId | None = g.get("org_id")
        action: Action | None = g.get("action")
        if actor is None or org_id is None or action is None:
            return
        if org_id not in actor.roles:
            if isinstance(error, NotFound):
                # The asker chooses what it names in there, and must not fill others' logs with it.
                refusals.note(actor, org_id, action, target_id=org_id, code=error.code)
        elif isinstance(error, Forbidden):
            refusals.note(actor, org_id, action, target_id=g.target_id, code=error.code)

    @app.after_request
    async def note_refusal(response: Response) -> Response:
        note()
        return response

    @app.after_websocket  # type: ignore[type-var]  # Quart's own callers pass and take None for an accepted socket
    async def note_refused_socket(response: Response | None) -> Response | None:
        note()
        return response
