"""Workers with servers of their own on two ports, which tell what they were asked, and a browser that goes there."""

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, Page
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import Box

PORTS: Final = (3000, 4000)
_ORG: Final = "/api/orgs/{}"
_SCRIPT: Final = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"port": int(sys.argv[1]), "path": self.path, "headers": dict(self.headers)}).encode()
        kind = "application/json"
        if self.path.startswith("/page"):
            body, kind = b"<!doctype html><title>of " + sys.argv[1].encode() + b"</title><h1>A page</h1>", "text/html"
        if self.path.startswith("/bytes/"):
            left = int(self.path.rpartition("/")[2])
            self.send_response(200)
            self.send_header("Content-Length", str(left))
            self.end_headers()
            while left:
                left -= self.wfile.write(b"x" * min(left, 65536))
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "planted=1; Domain=w.localhost")
        self.end_headers()
        self.wfile.write(body)
    do_PUT = do_GET
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_MADE: Final = f"echo {base64.b64encode(_SCRIPT.encode()).decode()} | base64 -d > /workspace/served.py"
_STARTED: Final = "; ".join(
    f"setsid python3 /workspace/served.py {port} </dev/null >/dev/null 2>&1 &" for port in PORTS
).replace("&;", "&")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A box seen by its owner's browser and by the API."""

    box: Box
    browser: Browser
    org_id: str
    project_id: str

    @property
    def port(self) -> int:
        return urlsplit(self.box.url).port or 80

    def worker(self, name: str) -> "Worker":
        """A worker whose servers answer."""
        with self.box.api() as api:
            made = api.post(
                f"/api/orgs/{self.org_id}/projects/{self.project_id}/workers",
                json={"name": name},
                timeout=90,
                params={"wait": 60},
            )
            assert made.status_code == 201, made.text
        worker = Worker(site=self, shown=made.json())
        for port in PORTS:
            wait_until(lambda: worker.get(port, "/").is_success, seconds=30, what=f"{port} of {name}")  # noqa: B023
        return worker

    def signed_in(self) -> BrowserContext:
        """A browser of the owner."""
        context = self.browser.new_context()
        context.add_cookies(
            [{"name": "session", "value": self.box.token, "url": f"http://spunto.localhost:{self.port}"}]
        )
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    site: Site
    shown: dict[str, Any]

    @property
    def api_path(self) -> str:
        return f"/api/orgs/{self.site.org_id}/workers/{self.shown['id']}"

    def host(self, port: int) -> str:
        return f"worker-{self.shown['index']}-{self.shown['id'].partition('_')[2]}-{port}.w.localhost"

    def url(self, port: int, path: str = "/page") -> str:
        return f"http://{self.host(port)}:{self.site.port}{path}"

    def get(self, port: int, path: str, *, token: str | None = None, **headers: str) -> httpx.Response:
        """As a program asks, by the machine's address and the host's name."""
        given = {"Host": f"{self.host(port)}:{self.site.port}", **headers}
        if token != "":
            given["Authorization"] = f"Bearer {token or self.site.box.token}"
        return httpx.get(f"{self.site.box.url}{path}", headers=given, timeout=40)

    def share(self, port: int, sharing: str) -> None:
        with self.site.box.api() as api:
            answer = api.put(f"{self.api_path}/ports/{port}", json={"sharing": sharing})
            assert answer.is_success, answer.text

    def link(self, port: int) -> dict[str, Any]:
        with self.site.box.api() as api:
            answer = api.post(f"{self.api_path}/ports/{port}/links", json={})
            assert answer.status_code == 201, answer.text
            return dict(answer.json())

    def state(self) -> str:
        with self.site.box.api() as api:
            return str(api.get(self.api_path).json()["state"])

    def stop(self) -> None:
        with self.site.box.api() as api:
            answer = api.post(f"{self.api_path}/stop", params={"wait": 30}, timeout=60)
            assert answer.is_success, answer.text


def site_of(box: Box, browser: Browser, **asked: Any) -> Site:
    """`asked` are further fields of its project."""
    with box.api() as api:
        org_id = api.get("/api/orgs").json()["items"][0]["id"]
        project = api.post(
            f"/api/orgs/{org_id}/projects",
            json={
                "name": "served",
                "image": "localhost/spunto/worker:1",
                "postCreateCommand": _MADE,
                "postStartCommand": _STARTED,
                **asked,
            },
        )
        assert project.status_code == 201, project.text
    return Site(box=box, browser=browser, org_id=org_id, project_id=project.json()["id"])


def fetched(page: Page, url: str, **options: Any) -> Any:
    """What a script on the page gets: `[status, body]`, or the name of the error."""
    return page.evaluate(
        """async ([url, options]) => {
            try { const answer = await fetch(url, options); return [answer.status, await answer.text()]; }
            catch (error) { return error.name; }
        }""",
        [url, options],
    )
