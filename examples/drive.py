"""Drive workers from outside, once by curl and once by the Python client: spawn and wait, bytes in and out, tags.

.venv/bin/python examples/drive.py http://spunto.localhost:8000 .spunto/owner.token localhost/spunto/worker:1
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from spunto.client.client import SpuntoClient
from spunto.core.kernel.secret import Secret

BYTES = bytes(range(256)) * 8


def curl(url: str, token: str, method: str, path: str, body: object = None) -> Any:
    """One request by curl, whose answer is JSON or nothing; the token goes by stdin, so no list of processes has it."""
    sent = [] if body is None else ["--json", json.dumps(body)]
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--config", "-", "--request", method, *sent]
    config = f'header = "Authorization: Bearer {token}"\n'
    done = subprocess.run([*command, f"{url}{path}"], input=config, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout else None


def by_curl(url: str, token: str, org: str, project: str) -> None:
    asked = {"tags": ["ci", "curl"], "metadata": {"build": 7}}
    worker = curl(url, token, "POST", f"/api/orgs/{org}/projects/{project}/workers?wait=60", asked)
    here = f"/api/orgs/{org}/workers/{worker['id']}"
    print("curl:", worker["name"], "is", worker["state"])

    command = {"command": ["cat"], "encoding": "base64", "stdin": base64.b64encode(BYTES).decode()}
    ran = curl(url, token, "POST", f"{here}/exec", command)
    print("curl: the same bytes came back:", base64.b64decode(ran["stdout"]) == BYTES)

    found = curl(url, token, "GET", f"/api/orgs/{org}/workers?tag=curl&state=ready")["items"]
    print("curl: found by its tag:", [each["id"] for each in found] == [worker["id"]])

    curl(url, token, "DELETE", f"{here}?wait=60")
    print("curl: it is gone")


async def by_client(url: str, token: str, org: str, project: str) -> None:
    async with SpuntoClient(url, token=Secret(token)) as client:
        spawned = await client.workers.spawn(org, project, tags=["ci", "client"])
        worker = await client.workers.get(spawned, wait_seconds=60)
        print("client:", worker.name, "is", worker.state)

        ran = await client.workers.exec(worker, ["cat"], stdin=BYTES)
        print("client: the same bytes came back:", ran.stdout_bytes == BYTES)

        found = [each.id async for each in client.workers.iter_all(org, tag="client")]
        print("client: found by its tag:", found == [worker.id])

        await client.workers.destroy(worker)
        await client.workers.wait_until_gone(worker)
        print("client: it is gone")


def main(url: str, token_file: str, image: str) -> None:
    token = Path(token_file).read_text().strip()
    org = curl(url, token, "GET", "/api/orgs")["items"][0]["id"]
    wanted = {"name": f"driven-{os.getpid()}", "image": image, "cpus": 0.05, "memoryBytes": 16 * 2**20}
    project = curl(url, token, "POST", f"/api/orgs/{org}/projects", wanted)["id"]
    by_curl(url, token, org, project)
    asyncio.run(by_client(url, token, org, project))
    curl(url, token, "DELETE", f"/api/orgs/{org}/projects/{project}")


if __name__ == "__main__":
    main(*sys.argv[1:])
