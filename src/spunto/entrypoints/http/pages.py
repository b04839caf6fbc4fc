"""Small pages of our own for people: plain HTML, no script, no style but the browser's."""

from typing import Final

import orjson
from quart import Quart, Response, request

from spunto.entrypoints.http.errors import PROBLEM
from spunto.entrypoints.serving.plain_pages import TYPE, is_for_a_person, page_text, refusal_text
from spunto.entrypoints.serving.security import Doorkeeper

NEW_LINK: Final = (
    "Sign in by a one-time link: <code>spunto db sign-in-link</code>, on the server's machine, prints one. "
    "Then go on to where you were."
)
_ONE_TIME: Final = f"<p>{NEW_LINK}</p>"
_FRONT_PAGE: Final = '<p>Go to the <a href="/">front page</a>.</p>'
_SIGN_IN: Final = '<p><a href="/api/auth/login">Sign in again</a> or go to the <a href="/">front page</a>.</p>'
# Who they are may be the reason.
_HELPED: Final = frozenset({401, 403})


def page(title: str, body: str, status: int = 200) -> Response:
    """`body` is HTML; whatever in it came from outside is escaped already."""
    return Response(page_text(title, body), status, content_type=TYPE)


def install_pages(app: Quart, doorkeeper: Doorkeeper, *, sign_in_on: bool) -> None:
    """Have people see a page where programs get a problem, whatever refuses them."""
    sign_in = _SIGN_IN if sign_in_on else _ONE_TIME

    @app.after_request
    async def as_page(response: Response) -> Response:
        if response.content_type != PROBLEM or not _is_person():
            return response
        problem = orjson.loads(await response.get_data())
        way = sign_in if await _is_helped(response.status_code, doorkeeper) else _FRONT_PAGE
        if problem["code"] == "code_not_good":
            way = _ONE_TIME
        if problem["code"] == "port_private":
            way = _FRONT_PAGE
        response.set_data(refusal_text(problem["code"], problem["detail"], request_id=problem["requestId"], way=way))
        response.content_type = TYPE
        return response


async def _is_helped(status: int, doorkeeper: Doorkeeper) -> bool:
    """Whether signing in may be the way on. What is not there for somebody who is signed in is not there."""
    return status in _HELPED or (status == 404 and not await doorkeeper.knows(request.headers))


def _is_person() -> bool:
    asked = request.headers
    named = ("Accept", "Sec-Fetch-Mode", "X-Requested-With")
    return is_for_a_person([(name.lower().encode(), asked[name].encode()) for name in named if name in asked])
