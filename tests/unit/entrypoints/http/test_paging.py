"""Cursors, and lists page by page."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.entrypoints.http.house import House, json_of

from spunto.core.kernel.errors import Malformed
from spunto.entrypoints.http.paging import cursor_of, last_seen


@given(st.text(min_size=1))
def test_a_cursor_says_what_it_was_made_of(last: str) -> None:
    assert last_seen(cursor_of(last)) == last


@given(st.text())
def test_anything_else_is_malformed_or_a_cursor_that_we_would_make(text: str) -> None:
    with contextlib.suppress(Malformed):
        assert cursor_of(last_seen(text)) == text


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_pages_give_every_item_once_and_newest_first(house: House, limit: int) -> None:
    ann = await house.person("ann")
    projects = f"/api/orgs/{ann.org_id}/projects"
    for number in range(5):
        await house.call(ann, "POST", projects, {"name": f"p{number}", "image": "debian"})

    seen: list[str] = []
    cursor = ""
    while True:
        page = await json_of(await house.call(ann, "GET", f"{projects}?limit={limit}{cursor}"))
        seen += [item["name"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"

    assert seen == ["p4", "p3", "p2", "p1", "p0"]
