"""Cursors, and lists page by page."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.entrypoints.http.house import House, json_of, problem_of
from tests.unit.entrypoints.http.site import Site

from spunto.core.kernel.errors import Malformed
from spunto.entrypoints.http.paging import cursor_of, last_seen
from spunto.entrypoints.http.reach_shapes import LogsQuery


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


@pytest.mark.parametrize("limit", ["1_0", " 5", "5.0", "+5", "٥", "on", ""])
async def test_a_number_is_written_as_json_writes_it(house: House, limit: str) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "GET", f"/api/orgs?limit={quote(limit)}"))

    assert (problem["status"], problem["code"]) == (400, "invalid_query")
    assert problem["errors"] == [{"pointer": "/limit", "message": "Must be a whole number"}]


@pytest.mark.parametrize("flag", ["1", "on", "yes", "True", ""])
async def test_a_flag_is_true_or_false(house: House, flag: str) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "POST", f"/api/auth/logout?everywhere={flag}"))

    assert (problem["status"], problem["code"]) == (400, "invalid_query")


@pytest.mark.parametrize("since", ["1700000000", "2026-03-14", "yesterday", "2026-03-14T15:09:26"])
def test_a_time_is_one_of_rfc_3339(since: str) -> None:
    with pytest.raises(ValidationError):
        LogsQuery.model_validate({"since": since})


async def test_a_cursor_of_something_else_is_none_of_a_project_s_versions(site: Site) -> None:
    project = await site.project()

    for last in ("x", "v99999999999", "-1"):
        refused = await site.problem("GET", f"{project}/versions?cursor={cursor_of(last)}")
        assert refused == (400, "invalid_cursor")
