"""Programs in a worker, and people outside, are told where its ports are reached."""

from tests.unit.journeys.steps import Subject, a_ready_worker

from spunto.core.kernel.ids import bare
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness


async def variables(worker: Subject) -> dict[str, str]:
    ran = await worker.harness.spunto.reach.exec(*worker.here, ExecRequest(command=["printenv"]))
    return dict(line.split("=", 1) for line in ran.stdout.decode().splitlines())


async def test_a_worker_is_told_its_addresses_from_its_spawn_on_and_after_a_rebuild(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness, env={"A": "1"})
    slug = f"worker-1-{bare(worker.id)}"
    told = {
        "WORKER_SLUG": slug,
        "BASE_DOMAIN": "w.localhost",
        "PUBLIC_PROTOCOL": "http",
        "SPUNTO_PORT_URL": f"http://{slug}-{{port}}.w.localhost:8000",
    }

    spawned = await variables(worker)
    await worker.change(env={"A": "2"})
    await worker.rebuild()
    await harness.settle()
    await harness.advance(30)
    rebuilt = await variables(worker)

    assert {name: spawned.get(name) for name in ("A", *told)} == {"A": "1", **told}
    assert {name: rebuilt.get(name) for name in ("A", *told)} == {"A": "2", **told}


async def test_a_worker_shows_its_urls_until_it_is_gone(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness)
    origin = f"http://worker-1-{bare(worker.id)}"

    async with harness.client() as client:
        shown = (await client.workers.list_all(harness.organization.id)).items[0].urls
        await worker.destroy()
        await harness.advance(30)
        gone = (await client.workers.list_all(harness.organization.id, include="destroyed")).items[0]

    assert shown is not None
    assert (shown.code, shown.of_port(3000)) == (
        f"{origin}-code.w.localhost:8000",
        f"{origin}-3000.w.localhost:8000",
    )
    assert (gone.state, gone.urls) == ("destroyed", None)
