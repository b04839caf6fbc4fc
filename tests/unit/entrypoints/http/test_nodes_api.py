"""Nodes over HTTP: from enrolment to removal."""

import pytest
from tests.unit.entrypoints.http.house import LOCAL, json_of, problem_of
from tests.unit.entrypoints.http.site import Site, a_node, container_of, id_of, open_site, without

from spunto.core.access.policy import Role
from spunto.core.protocol.closing import FORBIDDEN


async def test_a_new_node_is_told_with_all_that_makes_it_one(site: Site) -> None:
    made = await site.json(
        "POST",
        f"{site.org}/nodes",
        {"name": "box", "labels": {"zone": "a"}, "tags": ["ci", "ci"], "metadata": {"rack": 7}},
        status=201,
    )

    node, token = made["node"], made["token"]
    assert node == {
        "id": node["id"],
        "orgId": site.owner.org_id,
        "name": "box",
        "status": "provisioning",
        "connected": False,
        "deletingSince": None,
        "draining": False,
        "labels": {"zone": "a"},
        "tags": ["ci"],
        "metadata": {"rack": 7},
        "cpus": None,
        "memoryBytes": None,
        "machineCpus": None,
        "machineMemoryBytes": None,
        "disk": None,
        "limits": {"cpus": None, "memoryBytes": None},
        "reservedCpus": 0.0,
        "reservedMemoryBytes": 0,
        "workers": 0,
        "agent": None,
        "error": None,
        "upgradeCommand": f'script=$(curl -fsSL {LOCAL}/api/agent/install.sh) && sh -c "$script"',
        "connectionChangedAt": None,
        "createdAt": "2026-01-01T00:00:00Z",
    }
    assert token.startswith(f"spn_{node['id'].partition('_')[2]}_")
    assert made["installCommand"] == (
        f'script=$(curl -fsSL {LOCAL}/api/agent/install.sh) && SPUNTO_AGENT_TOKEN={token} sh -c "$script"'
    )
    assert await site.json("GET", f"{site.org}/nodes/{node['id']}") == node
    assert (await site.json("GET", f"{site.org}/nodes"))["items"] == [node]


async def test_the_cloud_init_document_brings_the_token_in_a_private_file(site: Site) -> None:
    made = await site.json("POST", f"{site.org}/nodes", {"name": "box"}, status=201)

    assert made["cloudInit"] == (
        "#cloud-config\n"
        "write_files:\n"
        "  - path: /etc/spunto/agent.token\n"
        '    permissions: "0600"\n'
        "    content: |\n"
        f"      {made['token']}\n"
        "runcmd:\n"
        f'  - ["sh", "-c", "script=$(curl -fsSL {LOCAL}/api/agent/install.sh) && sh -c \\"$script\\""]\n'
    )


async def test_a_connected_node_tells_what_it_has(site: Site) -> None:
    node = await a_node(site, cpus=4)

    shown = await site.json("GET", f"{site.org}/nodes/{node.id}")

    assert (shown["status"], shown["cpus"], shown["agent"]["engine"]) == ("online", 4.0, "fake")
    assert (shown["machineCpus"], shown["limits"]) == (4.0, {"cpus": None, "memoryBytes": None})
    assert without(shown["agent"], "capabilities") == {
        "version": "harness",
        "commit": "",
        "outdated": True,
        "labels": {},
        "engine": "fake",
        "engineVersion": "1",
        "engineError": None,
        "posture": {"rootless": True, "seccomp": True, "cgroup_version": "2"},
    }


async def test_the_inventory_says_that_the_engine_is_away(site: Site) -> None:
    node = await a_node(site)
    await node.break_engine()
    await site.harness.advance(60)

    inventory = await site.json("GET", f"{site.org}/nodes/{node.id}/inventory")

    assert "does not answer" in inventory["engine"]["error"]


async def test_a_node_without_an_engine_is_not_online_to_a_reader(site: Site) -> None:
    node = await a_node(site)
    await node.break_engine()
    await site.harness.advance(60)
    without_engine = await site.json("GET", f"{site.org}/nodes/{node.id}")
    node.mend_engine()
    await site.harness.advance(60)
    mended = await site.json("GET", f"{site.org}/nodes/{node.id}")

    assert (without_engine["status"], without_engine["error"]["code"]) == ("error", "engine_unavailable")
    assert (mended["status"], mended["error"]) == ("online", None)


async def test_the_same_name_can_not_be_had_twice(site: Site) -> None:
    await site.json("POST", f"{site.org}/nodes", {"name": "box"}, status=201)

    assert await site.problem("POST", f"{site.org}/nodes", {"name": "box"}) == (409, "node_name_taken")


async def test_a_repeat_makes_no_second_node_and_says_which_it_made(site: Site) -> None:
    key, body = {"Idempotency-Key": "once"}, {"name": "box"}
    first = await json_of(await site.house.call(site.owner, "POST", f"{site.org}/nodes", body, headers=key))

    again = await problem_of(await site.house.call(site.owner, "POST", f"{site.org}/nodes", body, headers=key))

    assert (again["status"], again["code"], again["id"]) == (409, "token_not_repeatable", first["node"]["id"])
    assert len((await site.json("GET", f"{site.org}/nodes"))["items"]) == 1


async def test_nodes_come_in_pages_newest_first(site: Site) -> None:
    for number in range(5):
        await site.json("POST", f"{site.org}/nodes", {"name": f"n{number}"}, status=201)

    first = await site.json("GET", f"{site.org}/nodes?limit=3")
    second = await site.json("GET", f"{site.org}/nodes?limit=3&cursor={first['nextCursor']}")

    assert [each["name"] for each in (*first["items"], *second["items"])] == ["n4", "n3", "n2", "n1", "n0"]
    assert second["nextCursor"] is None


async def test_a_rotated_token_cuts_the_agent_off_and_the_new_one_lets_it_in(site: Site) -> None:
    node = await a_node(site)

    rotated = await site.json("POST", f"{site.org}/nodes/{node.id}/token")
    await site.harness.settle()

    assert rotated["token"] != node.token.reveal()
    assert rotated["token"] in rotated["installCommand"]
    assert rotated["token"] in rotated["cloudInit"]
    assert node.agent is not None
    assert node.agent.turned_away is not None
    assert node.agent.turned_away.code == FORBIDDEN
    assert (await site.json("GET", f"{site.org}/nodes/{node.id}"))["status"] == "offline"


async def test_a_drained_node_gets_nothing_new_until_it_is_undrained(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    project = worker.partition("/workers")[0]

    drained = await site.json("POST", f"{site.org}/nodes/{node.id}/drain")
    refusal = await site.problem("POST", f"{project}/workers")
    undrained = await site.json("POST", f"{site.org}/nodes/{node.id}/undrain", {})

    assert (drained["status"], drained["draining"], undrained["status"]) == ("draining", True, "online")
    assert refusal == (409, "no_node_available")
    assert (await site.json("GET", worker))["state"] == "ready"
    await site.worker(project)


async def test_the_inventory_lists_what_stands_there(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await site.harness.advance(31)

    inventory = await site.json("GET", f"{site.org}/nodes/{node.id}/inventory")

    container_id = inventory["items"][0].pop("containerId")
    assert (len(container_id), inventory["sampledAt"].endswith("Z")) == (64, True)
    assert without(inventory, "sampledAt") == {
        "engine": {"name": "fake", "version": "1", "error": None},
        "items": [
            {
                "name": container_of(worker),
                "kind": "worker",
                "id": id_of(worker),
                "generation": 1,
                "dockerState": "running",
                "known": "expected",
            }
        ],
    }


async def test_the_inventory_of_an_offline_node_is_not_known_and_says_when_to_ask_again(site: Site) -> None:
    node = await a_node(site)
    node.disconnect()
    await site.harness.settle()

    response = await site.call("GET", f"{site.org}/nodes/{node.id}/inventory")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


async def test_a_node_that_holds_something_is_deleted_by_force_only(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    path = f"{site.org}/nodes/{node.id}"

    assert await site.problem("DELETE", path) == (409, "node_not_empty")
    node.disconnect()
    await site.harness.settle()
    waiting = await site.json("DELETE", f"{path}?force=true", status=202)

    assert (waiting["status"], waiting["connected"], waiting["deletingSince"]) == (
        "deleting",
        False,
        "2026-01-01T00:00:00Z",
    )
    await site.harness.settle()
    assert (await site.json("GET", worker))["state"] == "destroying"
    await node.reconnect()
    await site.harness.settle()
    assert await site.problem("GET", path) == (404, "node_not_found")
    assert await site.problem("GET", worker) == (404, "worker_not_found")


async def test_a_machine_that_never_comes_back_is_given_up(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    path = f"{site.org}/nodes/{node.id}"

    assert await site.problem("DELETE", f"{path}?abandon=true") == (409, "node_connected")
    node.disconnect()
    await site.harness.settle()
    response = await site.call("DELETE", f"{path}?abandon=true")
    await site.harness.settle()

    assert response.status_code == 204
    assert await site.problem("GET", path) == (404, "node_not_found")
    assert await site.problem("GET", worker) == (404, "worker_not_found")


async def test_a_node_s_name_labels_and_limits_are_changed_and_placement_goes_by_them(site: Site) -> None:
    node = await a_node(site, cpus=4)
    path = f"{site.org}/nodes/{node.id}"
    project = await site.project(labels={"disk": "ssd"})

    refused = await site.problem("POST", f"{project}/workers")
    changed = await site.json("PATCH", path, {"name": "two", "labels": {"disk": "ssd"}, "limits": {"cpus": 1}})
    await site.worker(project)
    full = await site.problem("POST", f"{project}/workers")
    cleared = await site.json("PATCH", path, {"labels": None, "limits": None})

    assert (refused, full) == ((409, "no_node_available"), (409, "no_node_available"))
    assert [changed[each] for each in ("name", "labels", "cpus", "machineCpus", "limits")] == [
        "two",
        {"disk": "ssd"},
        1.0,
        4.0,
        {"cpus": 1.0, "memoryBytes": None},
    ]
    assert (cleared["name"], cleared["labels"], cleared["cpus"]) == ("two", {}, 4.0)
    assert await site.problem("PATCH", path, {"name": None}) == (422, "invalid_request")


async def test_an_empty_node_is_deleted_once(site: Site) -> None:
    made = await site.json("POST", f"{site.org}/nodes", {"name": "box"}, status=201)
    path = f"{site.org}/nodes/{made['node']['id']}"

    response = await site.call("DELETE", path)

    assert response.status_code == 204
    assert await site.problem("DELETE", path) == (404, "node_not_found")


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("POST", "", {"name": "x"}),
        ("DELETE", "/{}", None),
        *(("POST", f"/{{}}/{what}", None) for what in ("token", "drain", "undrain")),
    ],
)
async def test_members_only_look_at_nodes(site: Site, method: str, below: str, body: object) -> None:
    node = await a_node(site)
    member = await site.member("bob")

    assert await site.problem(method, f"{site.org}/nodes{below.format(node.id)}", body, by=member) == (
        403,
        "role_required",
    )
    assert await site.json("GET", f"{site.org}/nodes/{node.id}", by=member)


async def test_an_admin_enrols_nodes(site: Site) -> None:
    admin = await site.member("ada", role=Role.ADMIN)

    assert await site.json("POST", f"{site.org}/nodes", {"name": "x"}, status=201, by=admin)


async def test_another_organization_s_node_is_unknown(site: Site) -> None:
    node = await a_node(site)
    stranger = await site.house.person("eve")

    assert await site.problem("GET", f"{site.org}/nodes/{node.id}", by=stranger) == (404, "organization_not_found")
    assert await site.problem("GET", f"/api/orgs/{stranger.org_id}/nodes/{node.id}", by=stranger) == (
        404,
        "node_not_found",
    )


async def test_nothing_is_enrolled_by_an_address_that_was_guessed() -> None:
    """A server that listens on every address would send each node to the node itself."""
    async with open_site(is_url_guessed=True) as site:
        node = await a_node(site)

        refused = [
            await site.problem("POST", f"{site.org}/nodes", {"name": "box"}),
            await site.problem("POST", f"{site.org}/nodes/{node.id}/token"),
        ]

        assert refused == [(409, "public_url_missing")] * 2
        assert len((await site.json("GET", f"{site.org}/nodes"))["items"]) == 1
