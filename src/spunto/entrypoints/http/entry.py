"""The way from a worker's host to the sign-in and back: a session is exchanged for a code that is good there once."""

from typing import Annotated
from urllib.parse import urlencode

from pydantic import StringConstraints
from quart import Blueprint, g, redirect, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.model import Actor
from spunto.core.access.policy import Action
from spunto.core.kernel.errors import Forbidden, Unauthenticated
from spunto.core.routes.doorman import Doorman
from spunto.core.routes.hosts import CALLBACK_PATH, Addresses
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.redirects import MAX_CHARACTERS, safe_next
from spunto.entrypoints.http.requests import Query, query
from spunto.entrypoints.http.sign_in import ENTER, LOGIN
from spunto.entrypoints.serving.security import Doorkeeper


class EntryQuery(Query):
    """`n` is the SHA-256 of the nonce that the browser keeps at that host, in base64url."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    n: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    next: str | None = None


def entry_blueprint(doorman: Doorman, addresses: Addresses, doorkeeper: Doorkeeper) -> Blueprint:
    routes = Blueprint("entry", __name__)

    @routes.get(ENTER)
    @operation(
        "Let a browser in to a worker's host",
        description=(
            "An edge sends browsers here that open a worker's host without its cookie. Who is signed in and may open "
            "it is sent back with a code that is good for a minute, once, at that host; who is not signed in goes to "
            "the sign-in first, and comes back. `next` is the path to go on to there."
        ),
        query=EntryQuery,
        answers={303: None},
        errors=(
            "worker_not_found",
            "not_owner",
            "missing_scope",
            "session_required",
            "duplicate_header",
        ),
        operation_id="enterWorker",
    )
    async def enter() -> WerkzeugResponse:
        # A link preview asks with HEAD, and has no use for a code.
        if request.method == "HEAD":
            raise MethodNotAllowed(["GET"])
        asked = query(EntryQuery)
        next_path = safe_next(asked.next)
        door = await doorman.door_at(asked.host)
        try:
            actor = await doorkeeper.admit(request.headers, method="GET", request_id=g.request_id)
        except Unauthenticated:
            return redirect(f"{LOGIN}?{urlencode({'next': _back(asked, next_path)})}", 303)
        _note_who(actor, door.route.id)
        try:
            code = await doorman.issue_code(actor, door, nonce=asked.n)
        except Forbidden:
            g.org_id = door.route.org_id
            raise
        origin = addresses.origin_of(asked.host)
        # The browser may keep several nonces, planted ones among them.
        back = urlencode({"code": code.reveal(), "n": asked.n, "next": next_path})
        return redirect(f"{origin}{CALLBACK_PATH}?{back}", 303)

    return routes


def _note_who(actor: Actor, target_id: str) -> None:
    """For the record of refusals, and for what is told of limits."""
    g.actor, g.action, g.target_id, g.counted = actor, Action.WORKER_ENTER, target_id, []


def _back(asked: EntryQuery, next_path: str) -> str:
    """This very address again. A path that would make it too long to be kept is left out."""
    whole = f"{ENTER}?{urlencode({'host': asked.host, 'n': asked.n, 'next': next_path})}"
    if len(whole) <= MAX_CHARACTERS:
        return whole
    return f"{ENTER}?{urlencode({'host': asked.host, 'n': asked.n})}"
