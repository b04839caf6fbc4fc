"""Small pages of our own for people: plain HTML, no script, no style but the browser's."""

from html import escape

from quart import Response, g, request

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.http.errors import problem_response

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


async def refusal(error: SpuntoError) -> Response:
    """The problem, as a page for whoever asks for pages."""
    answer = await problem_response(error)
    if "text/html" not in request.headers.get("Accept", ""):
        return answer
    request_id = escape(g.get("request_id", ""))
    shown = page(
        "That did not work",
        f"<p>{escape(error.message)}</p>\n"
        '<p><a href="/api/auth/login">Sign in again</a> or go to the <a href="/">front page</a>.</p>\n'
        f"<p><small><code>{escape(error.code)}</code>, request <code>{request_id}</code></small></p>",
        answer.status_code,
    )
    if "Retry-After" in answer.headers:
        shown.headers["Retry-After"] = answer.headers["Retry-After"]
    return shown
