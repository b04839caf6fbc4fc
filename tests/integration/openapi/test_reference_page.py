"""The interactive reference in a real browser: it shows the document, by files of ours alone, and can ask."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.fixtures.browsers import chromium
from tests.fixtures.live import live_server


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_the_reference_shows_the_document_and_asks_the_server(tmp_path: Path) -> None:
    with live_server(tmp_path) as live, chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))

        page.goto(f"{live.url}/api/docs")
        expect(page.locator(".info .title")).to_contain_text("Spunto", timeout=60_000)
        expect(page.locator(".opblock-tag")).not_to_have_count(0)
        page.locator("#operations-tag-Organizations").click()
        page.locator("#operations-Organizations-listOrganizations .opblock-summary-control").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table tbody .response-col_status")).to_contain_text("401", timeout=30_000)
        page.screenshot(path=tmp_path / "reference.png")

    ours = [url for url in asked if url.startswith((f"{live.url}/", "data:"))]
    assert ours == asked
    # The browser itself notes the refusal that the last click was about.
    assert [each for each in complaints if "401" not in each] == []
