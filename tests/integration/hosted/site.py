"""A worker of a hosted Spunto, whose servers answer, and its owner's browser."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from playwright.sync_api import Browser, BrowserContext
from tests.fixtures.waiting import wait_until
from tests.integration.hosted.place import BASE_DOMAIN, Place

PORT: Final = 3000
_SERVED: Final = base64.b64encode(Path(__file__).with_name("served.py").read_bytes()).decode()
_PROJECT: Final = {
    "name": "served",
    "image": "localhost/spunto/worker:1",
    "postCreateCommand": f"echo {_SERVED} | base64 -d > /workspace/served.py",
    "postStartCommand": f"setsid python3 /workspace/served.py {PORT} </dev/null >/dev/null 2>&1 &",
}


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Generic[P]):
    hosted: P
    browser: Browser
    org: str
    worker: dict[str, Any]

    @property
    def host(self) -> str:
        """Of the port of its worker."""
        return f"worker-{self.worker['index']}-{self.worker['id'].partition('_')[2]}-{PORT}.{BASE_DOMAIN}"

    @property
    def url(self) -> str:
        return self.hosted.url_of(self.host)

    def signed_in(self) -> BrowserContext:
        """The owner's browser."""
        context = self.browser.new_context()
        context.add_cookies(
            [{"name": "__Host-session", "value": self.hosted.token, "url": self.hosted.url, "secure": True}]
        )
        return context

    def answers(self) -> bool:
        with self.hosted.client(self.host) as client:
            return client.get("/").is_success


@contextmanager
def site_of(hosted: P, browser: Browser, engine_url: str) -> Iterator[Site[P]]:
    with hosted.client() as owner:

        def made(path: str, body: dict[str, Any], **query: int) -> dict[str, Any]:
            answer = owner.post(path, json=body, params=query)
            assert answer.status_code == 201, answer.text
            return dict(answer.json())

        org = f"/api/orgs/{owner.get('/api/orgs').json()['items'][0]['id']}"
        node = made(f"{org}/nodes", {"name": "far"})
        with hosted.agent(engine_url, node["token"]):
            wait_until(
                lambda: owner.get(f"{org}/nodes/{node['node']['id']}").json()["status"] == "online",
                seconds=30,
                what="the node is there",
            )
            project = made(f"{org}/projects", _PROJECT)
            worker = made(f"{org}/projects/{project['id']}/workers", {"name": "first"}, wait=50)
            site = Site(hosted=hosted, browser=browser, org=org, worker=worker)
            wait_until(site.answers, seconds=30, what=f"{site.url}")
            yield site
