"""Sharing of ports and links to them, over HTTP, and the way from a worker's host to the sign-in and back."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.entrypoints.http.house import problem_of
from tests.unit.entrypoints.http.site import Site, a_node

from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import Redeem, nonce_hash
from spunto.core.routes.desired import Sharing

NONCE = Secret("kept by the browser")
N = nonce_hash(NONCE)


async def a_worker(site: Site) -> Any:
    await a_node(site)
    return await site.json("GET", await site.worker())


def host_of(worker: Any, port: int | str = 3000) -> str:
    return f"worker-{worker['index']}-{worker['id'][4:]}-{port}.w.localhost"


async def test_a_port_is_shared_and_taken_back(site: Site) -> None:
    worker = await a_worker(site)
    path = f"{site.org}/workers/{worker['id']}/ports/3000"

    shared = await site.json("PUT", path, {"sharing": "public"})
    taken_back = await site.json(
        "PUT", f"{site.org}/projects/{worker['projectId']}/workers/{worker['id']}/ports/3000", {"sharing": "owner"}
    )

    url = f"http://{host_of(worker)}:8000"
    assert shared == {"port": 3000, "sharing": "public", "url": url}
    assert taken_back == {"port": 3000, "sharing": "owner", "url": url}


async def test_what_is_shared_is_told_also_of_a_worker_that_is_stopped(site: Site) -> None:
    worker = await a_worker(site)
    path = f"{site.org}/workers/{worker['id']}"
    before = await site.json("GET", f"{path}/sharing")
    for port, sharing in ((4000, "public"), (3000, "org"), (5000, "org"), (5000, "owner")):
        await site.json("PUT", f"{path}/ports/{port}", {"sharing": sharing})
    links = [await site.json("POST", f"{path}/ports/{port}/links", {}, status=201) for port in (3000, 8080)]
    await site.json("POST", f"{path}/stop", status=202)

    told = await site.json("GET", f"{path}/sharing")

    shown = [{name: value for name, value in link.items() if name != "url"} for link in links]
    url = f"http://{host_of(worker, '{}')}:8000"
    assert before == {"items": []}
    assert told["items"] == [
        {"port": 3000, "sharing": "org", "url": url.format(3000), "links": [shown[0]]},
        {"port": 4000, "sharing": "public", "url": url.format(4000), "links": []},
        {"port": 8080, "sharing": "owner", "url": url.format(8080), "links": [shown[1]]},
    ]


async def test_new_workers_begin_with_what_their_project_says_and_keep_it(site: Site) -> None:
    await a_node(site)
    project = await site.json(
        "POST", f"{site.org}/projects", {"name": "web", "image": "debian", "sharing": {"3000": "org"}}, status=201
    )
    path = f"{site.org}/projects/{project['id']}"
    worker = await site.json("POST", f"{path}/workers", {}, status=202)

    changed = await site.json("PATCH", path, {"sharing": {"4000": "org"}})
    cleared = await site.json("PATCH", path, {"sharing": None})

    assert [each["sharing"] for each in (project, changed, cleared)] == [{"3000": "org"}, {"4000": "org"}, {}]
    assert changed["version"] == project["version"]
    route = (await site.house.spunto.doorman.door_at(host_of(worker))).route
    assert route.sharing == {3000: Sharing.ORG}


@pytest.mark.parametrize(
    "sharing", [{"3000": "public"}, {"3000": "owner"}, {"0": "org"}, {"65536": "org"}, {"080": "org"}, {"٣": "org"}, []]
)
async def test_a_project_shares_ports_with_its_organization_alone(site: Site, sharing: Any) -> None:
    body = {"name": "web", "image": "debian", "sharing": sharing}

    assert (await site.call("POST", f"{site.org}/projects", body)).status_code == 422


@pytest.mark.parametrize("port", ["0", "65536", "03000", "code", "-1", "٣", "1e3", "3000.0"])
async def test_what_is_no_port_is_not_found(site: Site, port: str) -> None:
    worker = await a_worker(site)

    answer = await site.call("PUT", f"{site.org}/workers/{worker['id']}/ports/{port}", {"sharing": "org"})

    assert (answer.status_code, (await problem_of(answer))["code"]) == (404, "port_not_found")


@pytest.mark.parametrize("body", [{}, {"sharing": "everybody"}, {"sharing": None}, {"sharing": "org", "more": 1}])
async def test_only_three_ways_to_share_are_known(site: Site, body: Any) -> None:
    worker = await a_worker(site)

    answer = await site.call("PUT", f"{site.org}/workers/{worker['id']}/ports/3000", body)

    assert answer.status_code == 422


async def test_a_link_is_made_listed_and_taken_back(site: Site) -> None:
    worker = await a_worker(site)
    path = f"{site.org}/workers/{worker['id']}/ports/3000/links"

    made = await site.json("POST", path, {"expiresInSeconds": 60}, status=201)
    listed = await site.json("GET", path)
    revoked = await site.call("DELETE", f"{path}/{made['id']}")

    url = made.pop("url")
    assert url.startswith(f"http://{host_of(worker)}:8000/.spunto/link?token=spl_")
    assert (revoked.status_code, listed) == (204, {"items": [made]})
    assert await site.json("GET", path) == {"items": []}
    token = Secret(parse_qs(urlsplit(url).query)["token"][0])
    with pytest.raises(Exception, match="taken back"):
        await site.house.spunto.doorman.redeem(Redeem(host=host_of(worker), link=token))


@pytest.mark.parametrize("seconds", [0, -1, 30 * 24 * 3600 + 1, 1.5, "60", True, None])
async def test_a_link_lasts_as_long_as_it_may(site: Site, seconds: Any) -> None:
    worker = await a_worker(site)

    answer = await site.call(
        "POST", f"{site.org}/workers/{worker['id']}/ports/3000/links", {"expiresInSeconds": seconds}
    )

    assert answer.status_code == 422


async def test_whoever_is_signed_in_is_sent_back_with_a_code(site: Site) -> None:
    worker = await a_worker(site)

    answer = await site.call("GET", f"/api/auth/worker?host={host_of(worker)}&n={N}&next=/app?x=1")

    back = urlsplit(answer.headers["Location"])
    query = parse_qs(back.query)
    assert answer.status_code == 303
    assert (back.scheme, back.netloc, back.path) == ("http", f"{host_of(worker)}:8000", "/.spunto/cb")
    assert (query["next"], query["n"]) == (["/app?x=1"], [N])
    redeemed = await site.house.spunto.doorman.redeem(
        Redeem(host=host_of(worker), code=Secret(query["code"][0]), nonce=NONCE)
    )
    assert redeemed.subject_id == worker["id"]


async def test_whoever_is_not_signed_in_goes_to_the_sign_in_and_comes_back(site: Site) -> None:
    worker = await a_worker(site)
    path = f"/api/auth/worker?host={host_of(worker)}&n={N}&next=/"

    answer = await site.house.client.get(path)

    login = urlsplit(answer.headers["Location"])
    back = parse_qs(login.query)["next"][0]
    assert (answer.status_code, login.path) == (303, "/api/auth/login")
    assert (await site.call("GET", back)).headers["Location"].startswith(f"http://{host_of(worker)}:8000/.spunto/cb?")


async def test_a_path_that_is_too_long_to_be_kept_leads_to_the_root(site: Site) -> None:
    worker = await a_worker(site)

    answer = await site.house.client.get(f"/api/auth/worker?host={host_of(worker)}&n={N}&next=/{'x' * 2000}")

    back = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    assert back == f"/api/auth/worker?host={host_of(worker)}&n={N}"


@pytest.mark.parametrize(
    "next_path", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "evil"]
)
async def test_nobody_is_sent_on_to_elsewhere(site: Site, next_path: str) -> None:
    worker = await a_worker(site)

    answer = await site.house.client.get(
        "/api/auth/worker",
        query_string={"host": host_of(worker), "n": N, "next": next_path},
        headers=site.owner.bearer,
    )

    assert parse_qs(urlsplit(answer.headers["Location"]).query)["next"] == ["/"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "spunto.localhost",
        "w.localhost",
        "worker-1-00000000000000000000000000-3000.w.localhost",
        "worker-1-00000000000000000000000000-3000.w.localhost.evil.example",
        "worker-1-00000000000000000000000000-3000.w.localhost@evil.example",
        "HOST:8000",
        "HOST.",
        "HOST/",
    ],
)
@pytest.mark.parametrize("is_signed_in", [True, False])
async def test_only_hosts_of_workers_are_sent_to(site: Site, host: str, is_signed_in: bool) -> None:
    worker = await a_worker(site)
    asked = host.replace("HOST", host_of(worker))
    headers = site.owner.bearer if is_signed_in else {}

    answer = await site.house.client.get("/api/auth/worker", query_string={"host": asked, "n": N}, headers=headers)

    assert (answer.status_code, (await problem_of(answer))["code"]) == (404, "worker_not_found")


@pytest.mark.parametrize("query", ["", "?host=x", f"?n={N}", "?host=x&n=short", f"?host=x&n={N}&more=1"])
async def test_a_question_that_is_not_whole_is_refused(site: Site, query: str) -> None:
    assert (await site.call("GET", f"/api/auth/worker{query}")).status_code == 400


async def test_whoever_may_not_open_it_is_told_on_a_page(site: Site) -> None:
    worker = await a_worker(site)
    member = await site.member("guest")

    path = f"/api/auth/worker?host={host_of(worker)}&n={N}"
    page = await site.house.client.get(path, headers={**member.bearer, "Accept": "text/html"})

    assert page.status_code == 403
    assert "text/html" in page.headers["Content-Type"]
    assert "not_owner" in await page.get_data(as_text=True)
    await site.house.spunto.refusals.flush()
    audited = await site.json("GET", f"{site.org}/audit?outcome=refused")
    assert [(each["action"], each["targetId"]) for each in audited["items"]] == [("worker.enter", worker["id"])]


async def test_a_preview_gets_no_code(site: Site) -> None:
    worker = await a_worker(site)

    answer = await site.call("HEAD", f"/api/auth/worker?host={host_of(worker)}&n={N}")

    assert answer.status_code == 405
