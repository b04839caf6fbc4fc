"""Lists in the order of their names, page by page."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.site import Site, a_node

from spunto.entrypoints.http.paging import cursor_of

NAMES = ["beta", "alpha", "Gamma", "alpha 2", "ähre"]
IN_ORDER = ["Gamma", "alpha", "alpha 2", "beta", "ähre"]
KINDS = ["workers", "projects", "nodes"]


async def made(site: Site, kind: str) -> None:
    bodies: dict[str, dict[str, Any]] = {"workers": {}, "projects": {"image": "debian"}, "nodes": {}}
    path = f"{site.org}/{kind}"
    if kind == "workers":
        await a_node(site, cpus=64, memory_bytes=2**36)
        path = f"{await site.project()}/workers"
    for name in NAMES:
        await site.json("POST", path, {"name": name, **bodies[kind]}, status=202 if kind == "workers" else 201)


async def names(site: Site, path: str, *, limit: int) -> list[str]:
    """Of all pages."""
    found, cursor = [], ""
    while True:
        page = await site.json("GET", f"{path}&limit={limit}{cursor}")
        found += [each["name"] for each in page["items"]]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


@pytest.mark.parametrize("limit", [2, 5, 50])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_list_is_in_the_order_of_names_on_pages_of_any_size(site: Site, kind: str, limit: int) -> None:
    await made(site, kind)

    assert await names(site, f"{site.org}/{kind}?sort=name", limit=limit) == IN_ORDER
    assert await names(site, f"{site.org}/{kind}?sort=-name", limit=limit) == IN_ORDER[::-1]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cursor_is_one_of_its_order(site: Site, kind: str) -> None:
    await made(site, kind)
    cursors = {
        order: (await site.json("GET", f"{site.org}/{kind}?limit=2&sort={order}"))["nextCursor"]
        for order in ("name", "createdAt")
    }

    for order, cursor in (("name", cursors["createdAt"]), ("-createdAt", cursors["name"]), ("name", cursor_of("x y"))):
        refused = await site.problem("GET", f"{site.org}/{kind}?sort={order}&cursor={cursor}")
        assert refused == (400, "invalid_cursor")


async def test_a_renamed_worker_does_not_move_what_comes_behind_the_cursor(site: Site) -> None:
    await made(site, "workers")
    first = await site.json("GET", f"{site.org}/workers?sort=name&limit=2")
    await site.json("PATCH", f"{site.org}/workers/{first['items'][1]['id']}", {"name": "zeta"})

    rest = await site.json("GET", f"{site.org}/workers?sort=name&cursor={first['nextCursor']}")

    assert [each["name"] for each in rest["items"]] == ["alpha 2", "beta", "zeta", "ähre"]


async def test_names_of_a_hundred_characters_fit_into_a_cursor(site: Site) -> None:
    for last in "ab":
        await site.json("POST", f"{site.org}/nodes", {"name": "𝒳" * 99 + last}, status=201)

    found = await names(site, f"{site.org}/nodes?sort=name", limit=1)

    assert [name[-1] for name in found] == ["a", "b"]


async def test_those_that_are_gone_stand_between_the_others(site: Site) -> None:
    await made(site, "workers")
    await site.harness.settle()
    every = await site.json("GET", f"{site.org}/workers")
    for each in every["items"][::2]:
        await site.json("DELETE", f"{site.org}/workers/{each['id']}", status=202)
    await site.harness.settle()

    assert await names(site, f"{site.org}/workers?sort=name&include=destroyed", limit=2) == IN_ORDER
    assert await names(site, f"{site.org}/workers?sort=-name&include=destroyed", limit=2) == IN_ORDER[::-1]
