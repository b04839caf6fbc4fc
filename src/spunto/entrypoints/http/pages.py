"""Small pages of our own for people: plain HTML, no script, no style but the browser's."""

from html import escape
from typing import Final

import orjson
from quart import Quart, Response, request

from spunto.entrypoints.http.errors import PROBLEM

NEW_LINK: Final = (
    "Sign in by a one-time link: <code>spunto db sign-in-link</code>, on the server's machine, prints one. "
    "Then go on to where you were."
)
_ONE_TIME: Final = f"<p>{NEW_LINK}</p>"
_FRONT_PAGE: Final = '<p>Go to the <a href="/">front page</a>.</p>'
_SIGN_IN: Final = '<p><a href="/api/auth/login">Sign in again</a> or go to the <a href="/">front page</a>.</p>'
# Who they are may be the reason.
_HELPED: Final = frozenset({401, 403, 404})

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(title: str, body: str, status: int = 200) -> Response:
    """`body` is HTML; whatever in it came from outside is escaped already."""
    return Response(_PAGE.format(title=escape(title), body=body), status, content_type="text/html; charset=utf-8")


def install_pages(app: Quart, *, sign_in_on: bool) -> None:
    """Have people see a page where programs get a problem, whatever refuses them."""
    sign_in = _SIGN_IN if sign_in_on else _ONE_TIME

    @app.after_request
    async def as_page(response: Response) -> Response:
        if response.content_type != PROBLEM or not _is_person():
            return response
        problem = orjson.loads(await response.get_data())
        way = sign_in if response.status_code in _HELPED else _FRONT_PAGE
        if problem["code"] == "code_not_good":
            way = _ONE_TIME
        shown = page(
            "That did not work",
            f"<p>{escape(problem['detail'])}</p>\n{way}\n"
            f"<p><small><code>{escape(problem['code'])}</code>, request <code>{escape(problem['requestId'])}</code>"
            "</small></p>",
        )
        response.set_data(await shown.get_data())
        response.content_type = shown.content_type
        return response


def _is_person() -> bool:
    """Whether the answer is shown to somebody, who went there or sent a form."""
    asked = request.headers
    is_script = asked.get("Sec-Fetch-Mode", "navigate") != "navigate" or "X-Requested-With" in asked
    return "text/html" in asked.get("Accept", "") and not is_script
