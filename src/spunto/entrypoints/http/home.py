"""The page at `/`: what this is, whether one is signed in, and how to go on."""

from html import escape

from quart import Blueprint, Response, request

from spunto.core.access.service import AccessService
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.serving.security import Doorkeeper, PublicAddress

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Spunto</title></head>
<body>
<h1>Spunto</h1>
<p>Development workers on your own servers.</p>
{standing}
<h2>From a terminal</h2>
<pre>spunto login --url {url}
spunto worker list
spunto worker spawn hello
spunto worker shell hello-1</pre>
<p>The API answers below <a href="/api/orgs">/api/orgs</a>, with <code>Authorization: Bearer</code> and a token.</p>
</body>
</html>
"""

SIGNED_IN = """<p>You are signed in.</p>
<ul>
<li><a href="/api/auth/session">Your session</a></li>
<li><a href="/api/orgs">Your organizations</a></li>
</ul>
<form method="post" action="/api/auth/logout"><button>Sign out</button>
<button formaction="/api/auth/logout?everywhere=true">Sign out on all devices</button></form>"""

SIGN_IN = """<p>You are not signed in.</p>
<p><a href="/api/auth/login">Sign in</a></p>"""

SIGNED_OUT = """<p>You are not signed in. The server prints a one-time sign-in link when it starts, and
<code>spunto db sign-in-link</code>, on its machine, prints another; the owner's token is kept in the file
<code>owner.token</code> of its data directory.</p>"""


def home_blueprint(access: AccessService, address: PublicAddress, *, sign_in_on: bool) -> Blueprint:
    routes = Blueprint("home", __name__)
    doorkeeper = Doorkeeper(access, address)

    @routes.get("/")
    @operation("See the page at the root", answers={200: "text/html"}, operation_id="getHome")
    async def home() -> Response:
        invitation = SIGN_IN if sign_in_on else SIGNED_OUT
        standing = SIGNED_IN if await doorkeeper.knows(request.headers) else invitation
        return Response(
            PAGE.format(standing=standing, url=escape(address.url)), content_type="text/html; charset=utf-8"
        )

    return routes
