"""The API's own description: the OpenAPI document, and the interactive reference over it from our own files."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import orjson
from quart import Blueprint, Quart, Response, current_app

from spunto.core.kernel.errors import NotFound
from spunto.entrypoints.http.openapi.document import document_of
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.preconditions import tag_of_bytes, unchanged_or
from spunto.entrypoints.serving.security import PublicAddress

DOCUMENT_PATH: Final = "/api/openapi.json"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spunto API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START: Final = f"""SwaggerUIBundle({{
  url: "{DOCUMENT_PATH}",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
}});
"""
# Swagger UI styles elements by script, and has its icons as data URLs.
_PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'none'"
)
_ASSETS: Final[Mapping[str, str]] = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}


def reference_blueprint(address: PublicAddress) -> Blueprint:
    routes = Blueprint("reference", __name__)

    @routes.get(DOCUMENT_PATH)
    @operation(
        "Get this document",
        answers={200: "application/json", 304: None},
        operation_id="getOpenApiDocument",
    )
    async def document() -> Response:
        app: Quart = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's only way
        body, tag = _document(app, address.url)
        return _unchanged_or(Response(body, content_type="application/json"), tag)

    @routes.get("/api/docs")
    @operation("Read the interactive reference", answers={200: "text/html"}, operation_id="getReference")
    async def page() -> Response:
        headers = {"Content-Security-Policy": _PAGE_POLICY}
        return Response(_PAGE, headers=headers, content_type="text/html; charset=utf-8")

    @routes.get("/api/docs/<name>")
    @operation(
        "Get a file of the interactive reference",
        answers={200: ("text/css", "text/javascript", "image/png"), 304: None},
        errors=("asset_not_found",),
        operation_id="getReferenceAsset",
    )
    async def asset(name: str) -> Response:
        body, tag, content_type = _asset(name)
        return _unchanged_or(Response(body, content_type=content_type), tag)

    return routes


@cache
def _document(app: Quart, url: str) -> tuple[bytes, str]:
    """Made at the first request, once for each application."""
    body = orjson.dumps(document_of(app, url=url))
    return body, tag_of_bytes(body)


@cache
def _asset(name: str) -> tuple[bytes, str, str]:
    if name == "start.js":
        body, content_type = _START.encode(), "text/javascript; charset=utf-8"
    elif name in _ASSETS:
        body, content_type = (_assets() / name).read_bytes(), _ASSETS[name]
    else:
        raise NotFound("asset_not_found", "The reference has no file of this name.", name=name)
    return body, tag_of_bytes(body), content_type


def _assets() -> Path:
    """Where the installed package keeps Swagger UI; of its Python nothing is used, so it is not imported."""
    spec = find_spec("flask_swagger_ui")
    assert spec is not None  # noqa: S101 - a dependency of the server
    assert spec.origin is not None  # noqa: S101 - it is a package on disk
    return Path(spec.origin).with_name("dist")


def _unchanged_or(answer: Response, tag: str) -> Response:
    """Asked again each time, sent only when it changed."""
    answer = unchanged_or(answer, tag)
    answer.headers["Cache-Control"] = "no-cache"
    return answer
