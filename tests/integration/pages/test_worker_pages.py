"""A person's browser at the ports of their worker, on a real box and a real engine."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.fixtures.waiting import wait_until
from tests.integration.pages.served import Site, Worker, fetched

pytestmark = pytest.mark.browser


def test_a_signed_in_person_lands_on_the_page_that_they_asked_for(site: Site, worker: Worker) -> None:
    with site.signed_in() as context:
        page = context.new_page()

        page.goto(worker.url(3000, "/page?x=1"))

        assert (page.title(), page.url) == ("of 3000", worker.url(3000, "/page?x=1"))
        told = json.loads(fetched(page, "/headers")[1])["headers"]
        assert "cookie" not in told
        assert {each["name"] for each in context.cookies(worker.url(3000))} == {"spw"}


def test_a_stranger_is_asked_to_sign_in_and_a_program_is_told(site: Site, worker: Worker) -> None:
    with site.browser.new_context() as context:
        page = context.new_page()

        page.goto(worker.url(3000))

        assert page.url.startswith(f"http://spunto.localhost:{site.port}/")
    assert worker.get(3000, "/", token="").status_code == 401


def test_a_page_fetches_another_port_of_its_worker_that_was_opened_once(site: Site, worker: Worker) -> None:
    with site.signed_in() as context:
        page = context.new_page()
        page.goto(worker.url(4000))
        page.goto(worker.url(3000))

        got = fetched(page, worker.url(4000, "/data"), credentials="include")
        put = fetched(page, worker.url(4000, "/data"), credentials="include", method="PUT", headers={"x-own": "1"})

        assert (got[0], json.loads(got[1])["port"]) == (200, 4000)
        assert (put[0], json.loads(put[1])["headers"]["x-own"]) == (200, "1")


def test_the_page_of_one_worker_gets_nothing_of_another_nor_of_the_server(site: Site, worker: Worker) -> None:
    other = site.worker("second")
    with site.signed_in() as context:
        page = context.new_page()
        page.goto(other.url(3000))
        page.goto(worker.url(3000))

        assert fetched(page, other.url(3000, "/data"), credentials="include") == "TypeError"
        assert fetched(page, f"http://spunto.localhost:{site.port}/api/orgs", credentials="include") == "TypeError"
        assert page.evaluate("document.cookie") == ""
        status = page.evaluate(
            """async url => new Promise(done => { const image = new Image();
               image.onload = () => done("loaded"); image.onerror = () => done("refused"); image.src = url; })""",
            other.url(3000, "/page.png"),
        )
        assert status == "refused"


def test_sharing_lets_in_whom_it_names_and_is_taken_back(site: Site, worker: Worker) -> None:
    assert worker.get(3000, "/", token="").status_code == 401
    worker.share(3000, "public")
    wait_until(lambda: worker.get(3000, "/", token="").status_code == 200, seconds=5, what="it is public")
    worker.share(3000, "owner")
    wait_until(lambda: worker.get(3000, "/", token="").status_code == 401, seconds=5, what="it is public no more")

    link = worker.link(3000)
    with site.browser.new_context() as context:
        page = context.new_page()
        page.goto(link["url"])
        assert worker.host(3000) in page.url
        assert fetched(page, "/data")[0] == 200
        with site.box.api() as api:
            assert api.delete(f"{worker.api_path}/ports/3000/links/{link['id']}").status_code == 204
        wait_until(lambda: fetched(page, "/data")[0] == 403, seconds=8, what="the link is no longer good")
        page.goto(worker.url(3000))
        assert page.title() == "This link is no longer good"


def test_a_navigation_wakes_a_stopped_worker_and_a_background_fetch_does_not(site: Site) -> None:
    worker = site.worker("sleeper")
    with site.signed_in() as context:
        page = context.new_page()
        page.goto(worker.url(3000))
        worker.stop()

        assert fetched(page, "/data")[0] == 503
        assert worker.state() == "stopped"

        page.goto(worker.url(3000))

        assert page.title() == "of 3000"
        assert worker.state() == "ready"


def test_where_nobody_listens_a_person_gets_a_page_and_a_program_a_problem(site: Site, worker: Worker) -> None:
    wait_until(lambda: worker.get(3999, "/").json()["code"] == "nobody_listens", seconds=60, what="nobody listens")
    with site.signed_in() as context:
        page = context.new_page()

        answer = page.goto(worker.url(3999))

        assert answer is not None
        assert answer.status == 503
        page.get_by_text("Nothing listens here yet").wait_for()


def test_no_credential_is_ever_logged_or_told_to_the_worker(site: Site, worker: Worker) -> None:
    with site.signed_in() as context:
        page = context.new_page()
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        page.goto(worker.url(4000))
        told = fetched(page, "/headers")[1]
        passes = [each["value"] for each in context.cookies(worker.url(4000)) if each["name"] == "spw"]
        link = worker.link(4000)
        worker.get(4000, "/headers")
    codes = [value for url in seen for value in parse_qs(urlsplit(url).query).get("code", [])]
    secrets = [site.box.token, *passes, *codes, link["url"].partition("token=")[2]]

    assert len(secrets) == 4
    logged = site.box.up.log.read_text()
    assert [secret for secret in secrets if secret in logged or secret in told] == []
    assert [url for url in seen if passes[0] in url or site.box.token in url] == []


def test_a_page_that_floods_the_browser_with_cookies_locks_nobody_out(site: Site, worker: Worker) -> None:
    with site.signed_in() as context:
        page = context.new_page()
        page.goto(worker.url(3000, "/page"))
        page.evaluate(
            """() => { for (let i = 0; i < 40; i++)
                 document.cookie = `bomb${i}=${"x".repeat(4000)}; Domain=w.localhost; Path=/`; }"""
        )

        flooded = page.goto(worker.url(3000, "/page"))
        told = page.title()
        for _ in range(5):
            # The browser may still be about to forget them.
            if page.title() != told:
                break
            with page.expect_navigation():
                page.get_by_role("link", name="Go on").click()

        assert flooded is not None
        assert (flooded.status, told) == (431, "Your browser sends too much")
        assert (page.title(), page.url) == ("of 3000", worker.url(3000, "/page"))
        session = {each["name"] for each in context.cookies(f"http://spunto.localhost:{site.port}/")}
        assert session == {"session"}
