"""Requests to a worker's port through edge and tunnel, against proxies that reach the same port directly.

Everything of ours is on: who asks is looked up, headers are cleaned, and the bytes of every download are compared.
"""

import hashlib
import itertools
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from tests.fixtures.scripts import answer_of

from benchmarks.figures import Row, median
from benchmarks.load import load
from benchmarks.proxies import CADDY, Way, caddy, configurable_http_proxy, until_it_answers
from benchmarks.stack import Server, box

ROUNDS: Final = 5
SECONDS: Final = 2
DOWNLOADS: Final = 5
WAKES: Final = 5
BIG_BYTES: Final = 100 * 1024 * 1024
SMALL_BYTES: Final = 1024
_ORIGIN: Final = """
{
    admin off
}
:3000 {
    root * /workspace
    file_server
}
"""
_WORKER_IMAGE: Final = "localhost/spunto/worker:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A box with a worker whose port 3000 serves a small and a big file."""

    url: str
    token: str
    worker_path: str
    host: str
    container: str
    digest: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def ours(self) -> Way:
        return Way(url=self.url, headers={**self.bearer, "Host": self.host})


def measure() -> list[Row]:
    with _site() as site:
        address = f"{_address_of(site.container)}:3000"
        with caddy(address) as by_caddy, configurable_http_proxy(address) as by_chp:
            ways = {"ours": site.ours, "Caddy": by_caddy, "configurable-http-proxy": by_chp}
            return [*_small(ways), *_big(site, ways), _beside(site), _wake(site)]


def _small(ways: Mapping[str, Way]) -> list[Row]:
    rates = _by_turns(ways, ROUNDS, lambda way: load(f"{way.url}/small", way.headers, seconds=SECONDS).per_second)
    what = "1 KB at 32 connections through edge and tunnel"
    return [
        _against("Caddy", rates, what, unit="/s", goal=0.6),
        _against("configurable-http-proxy", rates, what, unit="/s", goal=2),
    ]


def _big(site: Site, ways: Mapping[str, Way]) -> list[Row]:
    speeds = _by_turns(ways, DOWNLOADS, lambda way: _download(way, site.digest))
    what = "100 MB through edge and tunnel"
    return [
        _against("Caddy", speeds, what, unit=" MB/s", goal=1, also="600 MB/s would do as well"),
        _against("configurable-http-proxy", speeds, what, unit=" MB/s", goal=None),
    ]


def _by_turns(ways: Mapping[str, Way], rounds: int, measured: Callable[[Way], float]) -> Mapping[str, float]:
    """The median of each."""
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            samples[name].append(measured(way))
    return {name: median(found) for name, found in samples.items()}


def _against(peer: str, found: Mapping[str, float], what: str, *, unit: str, goal: float | None, also: str = "") -> Row:
    detail = f"ours {found['ours']:.0f}{unit}, {peer} {found[peer]:.0f}{unit}"
    return Row(
        name=f"{what} against {peer}",
        figure=found["ours"] / found[peer],
        unit="×",
        goal=goal,
        better="higher",
        detail=f"{detail}; {also}" if also else detail,
    )


def _download(way: Way, digest: str) -> float:
    """Megabytes a second, as curl counts them."""
    headers = itertools.chain.from_iterable(("-H", f"{name}: {value}") for name, value in way.headers.items())
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        command = ["curl", "-sS", "-f", "-o", file.name, "-w", "%{speed_download}", *headers, f"{way.url}/big"]
        speed = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        found = hashlib.file_digest(Path(file.name).open("rb"), "sha256").hexdigest()  # noqa: SIM115 - ends with it
    assert found == digest, "the download is not what was sent"
    return speed / 1e6


def _beside(site: Site) -> Row:
    """Small requests, one at a time, while two downloads go on, so that one always does."""
    is_over = threading.Event()

    def stream() -> None:
        while not is_over.is_set():
            _download(site.ours, site.digest)

    with httpx.Client(base_url=site.url, headers=site.ours.headers) as client, ThreadPoolExecutor(2) as threads:
        client.get("/small").raise_for_status()
        downloading = [threads.submit(stream) for _ in range(2)]
        try:
            samples = [_timed(lambda: client.get("/small").raise_for_status()) for _ in range(1000)]
        finally:
            is_over.set()
        for each in downloading:
            each.result()
    p99 = statistics.quantiles(samples, n=100)[98] * 1000
    return Row(
        name="1 KB beside two bulk downloads, p99",
        figure=p99,
        unit="ms",
        goal=10,
        better="lower",
        detail=f"p50 {median(samples) * 1000:.1f} ms",
    )


def _wake(site: Site) -> Row:
    """From the request to the first byte of its answer, against a start of the like container that listens."""
    extra = []
    socket = answer_of("engine", "docker").removeprefix("unix://")
    with (
        _like_container() as like,
        httpx.Client(base_url="http://docker", transport=httpx.HTTPTransport(uds=socket), timeout=60) as engine,
        httpx.Client(base_url=site.url, headers=site.bearer, timeout=60) as client,
    ):
        for _ in range(WAKES):
            client.post(f"{site.worker_path}/stop", params={"wait": 30}).raise_for_status()
            raw = _timed(lambda: _start(engine, like))
            _docker("stop", "-t", "0", like)
            ours = _timed(lambda: client.get("/small", headers=site.ours.headers).raise_for_status())
            extra.append(ours - raw)
    return Row(
        name="wake: first byte beyond the engine's start and listening",
        figure=median(extra) * 1000,
        unit="ms",
        goal=50,
        better="lower",
        detail=f"{min(extra) * 1000:.0f} to {max(extra) * 1000:.0f} ms, n={WAKES}",
    )


def _start(engine: httpx.Client, container: str) -> None:
    """The engine alone, by its API: start, the start-up command, and knocking until somebody answers."""
    engine.post(f"/containers/{container}/start").raise_for_status()
    command = {"Cmd": ["sh", "-c", _SERVE]}
    made = engine.post(f"/containers/{container}/exec", json=command).raise_for_status().json()
    engine.post(f"/exec/{made['Id']}/start", json={"Detach": True}).raise_for_status()
    networks = engine.get(f"/containers/{container}/json").raise_for_status().json()["NetworkSettings"]["Networks"]
    [address] = [each["IPAddress"] for each in networks.values()]
    while True:
        try:
            # A network that is only just there may drop the first packets.
            httpx.get(f"http://{address}:3000/small", trust_env=False, timeout=0.2).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.005)
        else:
            return


@contextmanager
def _like_container() -> Iterator[str]:
    name = f"spunto-bench-{os.getpid()}"
    _docker("create", "--name", name, "--init", _WORKER_IMAGE, "sleep", "infinity")
    try:
        _docker("start", name)
        _equip(name)
        _docker("stop", "-t", "0", name)
        yield name
    finally:
        _docker("rm", "-f", name)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


_SERVE: Final = "setsid caddy run --config /workspace/Caddyfile --adapter caddyfile </dev/null >/dev/null 2>&1 &"


@contextmanager
def _site() -> Iterator[Site]:
    answer_of("images", "docker")
    with box() as running:
        yield _made(running)


def _made(running: Server) -> Site:
    with httpx.Client(base_url=running.url, headers=running.headers, timeout=60) as client:
        org = f"/api/orgs/{client.get('/api/orgs').json()['items'][0]['id']}"
        project = {
            "name": "bench",
            "image": _WORKER_IMAGE,
            "postStartCommand": f"test -x /usr/local/bin/caddy && {_SERVE} true",
        }
        made = client.post(f"{org}/projects", json=project).raise_for_status().json()
        spawned = client.post(f"{org}/projects/{made['id']}/workers", json={}, params={"wait": 60})
        worker = spawned.raise_for_status().json()
    bare = worker["id"].partition("_")[2]
    container = f"mp-worker-{bare}"
    _equip(container)
    digest = _docker("exec", container, "sha256sum", "/workspace/big").split()[0]
    _docker("exec", "-d", container, "sh", "-c", _SERVE)
    site = Site(
        url=running.url,
        token=running.token,
        worker_path=f"{org}/workers/{worker['id']}",
        host=f"worker-{worker['index']}-{bare}-3000.w.localhost:{urlsplit(running.url).port}",
        container=container,
        digest=digest,
    )
    until_it_answers(site.ours)
    return site


def _equip(container: str) -> None:
    """The server, and what it serves."""
    _docker("cp", CADDY, f"{container}:/usr/local/bin/caddy")
    make = (
        f"mkdir -p /workspace; head -c {BIG_BYTES} /dev/urandom > /workspace/big; "
        f"head -c {SMALL_BYTES} /dev/zero > /workspace/small; printf '%s' '{_ORIGIN}' > /workspace/Caddyfile"
    )
    _docker("exec", container, "sh", "-c", make)


def _address_of(container: str) -> str:
    return _docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container).strip()


def _docker(*arguments: str) -> str:
    command = ["docker", "--host", answer_of("engine", "docker"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
