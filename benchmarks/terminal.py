"""A key's echo: WebSocket client, server, agent, PTY and back, against `docker exec -it` in a PTY of our own."""

import asyncio
import base64
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import httpx
import orjson
from tests.fixtures.scripts import answer_of
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.figures import Row, median, spread
from benchmarks.stack import BUSYBOX, Server, agent, organization, server

KEYS = 400
BATCH = 50
_PAUSE_SECONDS = 0.002


def measure() -> list[Row]:
    answer_of("images", "docker")
    with server() as running, agent(running), httpx.Client(headers=running.headers, timeout=60) as client:
        org_url = f"{running.url}/api/orgs/{organization(client, running)}"
        body = {"name": "bench", "image": BUSYBOX, "cpus": 0.5, "memoryBytes": 64 * 1024**2}
        project = client.post(f"{org_url}/projects", json=body).raise_for_status().json()
        workers = f"{org_url}/projects/{project['id']}/workers"
        worker = client.post(workers, json={}).raise_for_status().json()
        url = f"{workers}/{worker['id']}"
        while client.get(url).json()["state"] != "ready":
            time.sleep(0.05)
        try:
            return [asyncio.run(_measure(running, worker["id"]))]
        finally:
            client.delete(url).raise_for_status()
            while client.get(url).status_code != httpx.codes.NOT_FOUND:
                time.sleep(0.05)


async def _measure(running: Server, worker_id: str) -> Row:
    mine: list[float] = []
    theirs: list[float] = []
    url = f"ws{running.url.removeprefix('http')}/api/workers/{worker_id}/terminal?mode=terminal&cols=80&rows=24"
    async with connect(url, additional_headers=running.headers, compression=None) as socket:
        with _docker_exec(f"mp-worker-{worker_id.partition('_')[2]}") as terminal:
            await _ours(socket, keys=BATCH)
            _theirs(terminal, keys=BATCH)
            for _ in range(KEYS // BATCH):
                mine += await _ours(socket, keys=BATCH)
                theirs += _theirs(terminal, keys=BATCH)
    return Row(
        name="terminal key echo p50 against `docker exec -it`",
        figure=median(mine) / median(theirs),
        unit="×",
        goal=3,
        better="lower",
        detail=f"ours {spread(mine)}, p99 {sorted(mine)[int(len(mine) * 0.99)] * 1000:.2f} ms; exec {spread(theirs)}",
    )


async def _ours(socket: ClientConnection, *, keys: int) -> list[float]:
    samples = []
    key = orjson.dumps({"type": "input", "data": base64.b64encode(b"x").decode()}).decode()
    for _ in range(keys):
        await _drain(socket)
        started = time.perf_counter()
        await socket.send(key)
        while b"x" not in await _output(socket):
            pass
        samples.append(time.perf_counter() - started)
    return samples


async def _drain(socket: ClientConnection) -> None:
    """Whatever came late belongs to no key."""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(_PAUSE_SECONDS):
                await socket.recv()


async def _output(socket: ClientConnection) -> bytes:
    frame = orjson.loads(await socket.recv())
    return base64.b64decode(frame["data"]) if frame["type"] == "output" else b""


@contextlib.contextmanager
def _docker_exec(name: str) -> Iterator[int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = ["docker", "--host", answer_of("engine", "docker"), "exec", "-it", name, "sh"]
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    try:
        os.read(ours, 4096)
        yield ours
    finally:
        running.terminate()
        running.wait(10)
        os.close(ours)
        os.close(theirs)


def _theirs(terminal: int, *, keys: int) -> list[float]:
    samples = []
    os.set_blocking(terminal, True)
    for _ in range(keys):
        time.sleep(_PAUSE_SECONDS)
        started = time.perf_counter()
        os.write(terminal, b"x")
        while b"x" not in os.read(terminal, 4096):
            pass
        samples.append(time.perf_counter() - started)
    return samples
