"""Nodes and projects as programs mark and find them: tags, metadata, filters and order, in the words of workers."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.site import Site, a_node

MARKS: list[tuple[str, Any]] = [
    ("tags", ["a b"]),
    ("tags", ["x"] * 33),
    ("tags", "ci"),
    ("metadata", {"x": "y" * 20_000}),
    ("metadata", []),
]


def body_of(kind: str, name: str) -> dict[str, Any]:
    return {"name": name, "image": "debian"} if kind == "projects" else {"name": name}


async def made(site: Site, kind: str, name: str, **marks: Any) -> str:
    """The path of a new one."""
    answer = await site.json("POST", f"{site.org}/{kind}", body_of(kind, name) | marks, status=201)
    return f"{site.org}/{kind}/{answer.get('node', answer)['id']}"


async def names(site: Site, kind: str, query: str) -> list[str]:
    return [each["name"] for each in (await site.json("GET", f"{site.org}/{kind}?{query}"))["items"]]


@pytest.mark.parametrize("kind", ["nodes", "projects"])
async def test_they_are_found_by_name_and_tag_in_either_order(site: Site, kind: str) -> None:
    await made(site, kind, "a", tags=["ci"])
    await made(site, kind, "b", tags=["ci", "keep"])
    await made(site, kind, "c")

    assert await names(site, kind, "tag=ci") == ["b", "a"]
    assert await names(site, kind, "tag=ci&sort=createdAt") == ["a", "b"]
    assert await names(site, kind, "tag=ci&name=a") == ["a"]
    assert await names(site, kind, "tag=c") == []
    for bad in ("tag=a%20b", "sort=tag", "state=ready", "status=gone", "userId=x"):
        assert await site.problem("GET", f"{site.org}/{kind}?{bad}") == (400, "invalid_query")


@pytest.mark.parametrize("kind", ["nodes", "projects"])
async def test_a_filtered_list_goes_on_where_its_page_ended(site: Site, kind: str) -> None:
    for name in ("a", "b", "c"):
        await made(site, kind, name, tags=["ci"])
        await made(site, kind, f"other {name}")

    first = await site.json("GET", f"{site.org}/{kind}?tag=ci&sort=createdAt&limit=2")
    rest = await names(site, kind, f"tag=ci&sort=createdAt&limit=2&cursor={first['nextCursor']}")

    assert ([each["name"] for each in first["items"]], rest) == (["a", "b"], ["c"])


@pytest.mark.parametrize("kind", ["nodes", "projects"])
async def test_tags_and_metadata_are_changed_as_a_merge_patch(site: Site, kind: str) -> None:
    path = await made(site, kind, "a", tags=["a"], metadata={"x": 1})

    changed = await site.json("PATCH", path, {"tags": ["b", "a", "b"]})
    replaced = await site.json("PATCH", path, {"metadata": {"y": None}})
    cleared = await site.json("PATCH", path, {"tags": None, "metadata": None})

    assert (changed["tags"], changed["metadata"]) == (["b", "a"], {"x": 1})
    assert (replaced["tags"], replaced["metadata"]) == (["b", "a"], {"y": None})
    assert (cleared["tags"], cleared["metadata"], cleared["name"]) == ([], {}, "a")


@pytest.mark.parametrize("kind", ["nodes", "projects"])
@pytest.mark.parametrize(("field", "value"), MARKS)
async def test_marks_are_bounded(site: Site, kind: str, field: str, value: Any) -> None:
    path = await made(site, kind, "a")

    assert await site.problem("POST", f"{site.org}/{kind}", {**body_of(kind, "b"), field: value}) == (
        422,
        "invalid_request",
    )
    assert await site.problem("PATCH", path, {field: value}) == (422, "invalid_request")


async def test_nodes_are_found_by_what_they_are_up_to(site: Site) -> None:
    online, lost = await a_node(site, "online"), await a_node(site, "lost")
    await made(site, "nodes", "new")
    await site.json("POST", f"{site.org}/nodes/{online.id}/drain")
    lost.kill_agent()
    await site.harness.settle()

    found = {status: await names(site, "nodes", f"status={status}") for status in ("draining", "offline", "online")}

    assert found == {"draining": ["online"], "offline": ["lost"], "online": []}
    assert await names(site, "nodes", "status=provisioning") == ["new"]
