"""The proxies that the edge is measured against: each in a process of its own, before one address."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from tests.fixtures.scripts import answer_of

from benchmarks.stack import free_port, program

CADDY: Final = str(Path(sys.executable).with_name("caddy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the same files: an address, and what has to be sent along."""

    url: str
    headers: Mapping[str, str]


@contextmanager
def caddy(address: str) -> Iterator[Way]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="spunto-bench-") as folder:
        file = Path(folder) / "Caddyfile"
        file.write_text(f"{{\n\tadmin off\n}}\n:{port} {{\n\treverse_proxy {address}\n}}\n")
        command = [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"]
        with _proxy(command, {"HOME": folder}, port=port) as way:
            yield way


@contextmanager
def configurable_http_proxy(address: str) -> Iterator[Way]:
    """JupyterHub's."""
    port, api_port = free_port(), free_port()
    options = {
        "ip": "127.0.0.1",
        "port": port,
        "api-ip": "127.0.0.1",
        "api-port": api_port,
        "default-target": f"http://{address}",
        "log-level": "error",
    }
    command = [answer_of("configurable-http-proxy"), *(f"--{name}={value}" for name, value in options.items())]
    with _proxy(command, {"CONFIGPROXY_AUTH_TOKEN": "benchmarks"}, port=port) as way:
        yield way


def until_it_answers(way: Way) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx.get(f"{way.url}/small", headers=way.headers, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{way.url} does not answer"
        time.sleep(0.05)


@contextmanager
def _proxy(command: Sequence[str], environment: Mapping[str, str], *, port: int) -> Iterator[Way]:
    way = Way(url=f"http://127.0.0.1:{port}", headers={})
    with program(command, environment):
        until_it_answers(way)
        yield way
