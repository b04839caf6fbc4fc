"""A box that `spunto up` runs, with a command line of its own, and nothing left of it on the engine at the end."""

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiodocker
import httpx
import psutil
from tests.chaos.views import EngineView
from tests.fixtures.processes import START_SECONDS, Program, ended, free_port
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.command_line import CommandLine

from spunto.core.kernel.secret import Secret
from spunto.core.specs.token import node_of_token
from spunto.entrypoints.serving.local_urls import local_url

SPUNTO = str(Path(sys.executable).with_name("spunto"))
CONVERGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    up: Program
    url: str
    data_dir: Path
    cli: CommandLine

    @property
    def token_file(self) -> Path:
        return self.data_dir / "owner.token"

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=10)

    def pid_of(self, module: str) -> int:
        """The child that runs `python -m module`."""

        def found() -> int | None:
            children = psutil.Process(self.up.pid).children()
            return next((child.pid for child in children if module in _command_of(child)), None)

        return wait_until(found, seconds=CONVERGE_SECONDS, what=f"{module} runs")

    def wait_ready(self) -> None:
        def ready() -> bool:
            try:
                return httpx.get(f"{self.url}/readyz", timeout=3).is_success
            except httpx.TransportError:
                return not self.up.is_running

        wait_until(ready, seconds=START_SECONDS, what=f"{self.url}/readyz\n{self.up.tail()}")
        assert self.up.is_running, self.up.tail()

    def worker_is(self, name: str, state: str) -> dict[str, Any]:
        """Wait until the worker, and with it its container, are so, as the command line tells."""

        def so() -> dict[str, Any] | None:
            listed = self.cli.run("worker", "list", "--json").json()["items"]
            found = (each for each in listed if (each["name"], each["state"]) == (name, state))
            return next((each for each in found if state != "ready" or each["dockerState"] == "running"), None)

        return wait_until(so, seconds=CONVERGE_SECONDS, what=f"{name} is {state}\n{self.up.tail()}")


@contextmanager
def running_box(directory: Path, *, engine_url: str, engine_variable: str, demo: bool = False) -> Iterator[Box]:
    """A box that is ready, whose command line is logged in."""
    box = box_of(directory, port=free_port(), environment={engine_variable: engine_url}, demo=demo)
    with ended([box.up]), cleared_away(engine_url, box.data_dir / "agent" / "token"):
        box.up.start()
        box.wait_ready()
        box.cli.run("login", "--url", box.url, "--token-file", str(box.token_file))
        yield box


def box_of(
    directory: Path,
    *,
    port: int,
    environment: dict[str, str],
    demo: bool = False,
    host: str = "127.0.0.1",
    data_dir: Path | None = None,
) -> Box:
    """One that has yet to be started."""
    directory.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir or directory / "data"
    where = ["--host", host, "--port", str(port), "--data-dir", str(data_dir)]
    up = Program(
        name="up",
        command=[SPUNTO, "up", *where, *(["--demo"] if demo else [])],
        environment={"SPUNTO_CONFIG": str(directory / "none.toml"), **environment},
        log=directory / "up.log",
    )
    return Box(up=up, url=local_url(host, port), data_dir=data_dir, cli=CommandLine(home=directory / "home"))


@contextmanager
def cleared_away(engine_url: str, token_file: Path) -> Iterator[None]:
    """At the end the engine has nothing of the node whose token is in the file. End its agent first."""
    try:
        yield
    finally:
        node_id = node_of_token(Secret(token_file.read_text().strip())) if token_file.exists() else None
        if node_id is not None:
            # In a thread, because a browser's driver has a loop in this one.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _clear_away(engine_url, node_id)).result()


async def _clear_away(engine_url: str, node_id: str) -> None:
    async with aiodocker.Docker(engine_url) as docker:
        await EngineView(docker, node_id).clear_away()


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
