"""Redocly's linter on the document, with its recommended rules, none of them switched off."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import orjson
from tests.fixtures.scripts import answer_of

from spunto.entrypoints.describing import document
from spunto.entrypoints.serving.settings import Settings


def test_the_linter_finds_nothing_but_ways_through_a_browser(tmp_path: Path) -> None:
    described = asyncio.run(document(Settings()))
    file = tmp_path / "openapi.json"
    file.write_bytes(orjson.dumps(described))
    only_redirect = {
        f"#/paths/{path.replace('~', '~0').replace('/', '~1')}/{method}/responses"
        for path, methods in described["paths"].items()
        for method, said in methods.items()
        if not any(status.startswith("2") for status in said["responses"])
    }

    done = subprocess.run(
        [answer_of("redocly"), "lint", "--extends", "recommended", "--format", "json", file],
        capture_output=True,
        check=False,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        text=True,
        timeout=110,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)["problems"]
    # A rule wants a 2XX of each operation; where a browser is led on, there is none, and none is invented.
    assert {(each["ruleId"], each["location"][0]["pointer"]) for each in found} == {
        ("operation-2xx-response", place) for place in only_redirect
    }
