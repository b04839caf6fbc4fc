"""What is accepted has an effect: on every page and operation, and what is too much is told with the limit."""

from base64 import b64encode

import pytest
from tests.unit.entrypoints.http.house import House, build_house, problem_of
from tests.unit.entrypoints.http.site import Site, a_node

from spunto.core.access.policy import Action
from spunto.entrypoints.http.openapi.document import endpoints_of

# Providers of a sign-in add what they like to the address to which people come back.
OPEN_ENDED = {"/api/auth/callback"}
OPEN = [
    each.path
    for each in endpoints_of(build_house().app)
    if each.method == "GET" and not isinstance(each.access, Action) and each.path not in OPEN_ENDED
]


@pytest.mark.parametrize("path", OPEN)
async def test_a_query_that_a_public_page_does_not_know_is_refused(house: House, path: str) -> None:
    answer = await house.client.get(f"{path.replace('{name}', 'start.js').replace('{token}', 'x')}?nonsense=1")

    text = await answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert "nonsense" in text or "invalid" in text.lower()


async def test_a_query_that_no_operation_knows_is_refused(site: Site) -> None:
    for path in (site.org, f"{site.org}/workers", "/api/users/me", "/api/auth/session"):
        assert await site.problem("GET", f"{path}?nonsense=1") == (400, "invalid_query")


async def test_what_is_too_much_for_a_command_is_told_with_the_limits(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    stdin = b64encode(bytes(1_200_000)).decode()

    whole = await problem_of(
        await site.call("POST", f"{worker}/exec", {"command": ["cat"], "stdin": stdin, "encoding": "base64"})
    )
    part = await problem_of(await site.call("POST", f"{worker}/exec", {"command": ["cat"], "stdin": "x" * 600_000}))

    assert (whole["status"], whole["code"]) == (413, "body_too_large")
    assert (whole["limitBytes"], whole["stdinBytes"]) == (1024 * 1024, 512 * 1024)
    assert "1048576" in whole["detail"]
    assert "524288" in whole["detail"]
    assert (part["status"], [each["message"] for each in part["errors"]]) == (422, ["stdin holds at most 524288 bytes"])


@pytest.mark.parametrize(
    ("labels", "pointer", "said"),
    [
        ({"a b": "c"}, "/labels/a b", "A label's name has 1 to 100 letters, digits and . _ / -, and begins"),
        ({"a\n": "c"}, "/labels/a\n", "A label's name has"),
        ({"disk": "a\nb"}, "/labels/disk", "A label's value has up to 255 characters and no control characters"),
        ({"disk": "x" * 256}, "/labels/disk", "A label's value has"),
    ],
)
async def test_a_label_that_is_wrong_is_told_in_words(
    site: Site, labels: dict[str, str], pointer: str, said: str
) -> None:
    problem = await problem_of(await site.call("POST", f"{site.org}/nodes", {"name": "x", "labels": labels}))

    [error] = problem["errors"]
    assert (error["pointer"], error["message"][: len(said)]) == (pointer, said)


async def test_a_variable_s_name_that_is_wrong_is_told_in_words(site: Site) -> None:
    body = {"name": "x", "image": "debian", "env": {"a b": "c"}}

    problem = await problem_of(await site.call("POST", f"{site.org}/projects", body))

    assert problem["errors"] == [{"pointer": "/env/a b", "message": "This is not a valid name."}]
