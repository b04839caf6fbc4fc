"""What becomes of downloads and requests when a process of the box is killed, and how soon all goes on."""

import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from tests.fixtures.waiting import wait_until
from tests.integration.pages.served import Site, Worker

pytestmark = [pytest.mark.browser, pytest.mark.long]

DOWNLOADS = 20
BYTES = 24 * 1024 * 1024
SOON_SECONDS = 20.0


@dataclass(slots=True)
class Download:
    """One that reads slowly enough to be there when something happens."""

    received: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    error: str = ""


@contextmanager
def downloading(worker: Worker, pace: threading.Event) -> Iterator[list[Download]]:
    """Many at once, each held after its first bytes until `pace` is set; all are over at the end of the block."""
    downloads = [Download() for _ in range(DOWNLOADS)]

    def run(download: Download) -> None:
        headers = {
            "Host": f"{worker.host(3000)}:{worker.site.port}",
            "Authorization": f"Bearer {worker.site.box.token}",
        }
        try:
            with httpx.stream("GET", f"{worker.site.box.url}/bytes/{BYTES}", headers=headers, timeout=60) as answer:
                for piece in answer.iter_bytes(64 * 1024):
                    download.received += len(piece)
                    download.digest.update(piece)
                    pace.wait(60)
        except httpx.TransportError as error:
            download.error = type(error).__name__

    threads = [threading.Thread(target=run, args=(each,)) for each in downloads]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(each.received for each in downloads), seconds=30, what="all downloads have begun")
        yield downloads
    finally:
        pace.set()
        for thread in threads:
            thread.join(120)


def kill(site: Site, module: str) -> None:
    killed = site.box.pid_of(module)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: site.box.pid_of(module) != killed, seconds=SOON_SECONDS, what=f"another {module}")


def is_whole(download: Download) -> bool:
    return download.error == "" and download.digest.digest() == hashlib.sha256(b"x" * BYTES).digest()


def test_downloads_go_on_though_the_server_dies(site: Site, worker: Worker) -> None:
    pace = threading.Event()
    with downloading(worker, pace) as downloads:
        kill(site, "spunto.entrypoints.serve")
        pace.set()

    assert [each.error for each in downloads if not is_whole(each)] == []
    site.box.wait_ready()
    assert worker.get(3000, "/").is_success


@pytest.mark.parametrize("module", ["spunto.entrypoints.edge.main", "spunto_agent"])
def test_a_download_whose_carrier_dies_is_cut_and_never_looks_whole(site: Site, worker: Worker, module: str) -> None:
    pace = threading.Event()
    with downloading(worker, pace) as downloads:
        kill(site, module)
        pace.set()

    assert any(each.error for each in downloads)
    assert all(each.error for each in downloads if each.received < BYTES)
    assert not [each for each in downloads if not each.error and not is_whole(each)]
    wait_until(lambda: answers(worker), seconds=SOON_SECONDS, what=f"requests get through after {module}")


def answers(worker: Worker) -> bool:
    try:
        return worker.get(3000, "/").is_success
    except httpx.TransportError:
        return False
