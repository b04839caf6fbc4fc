"""The hosted Spunto of `deploy/compose.yaml`, brought up as the documentation says, beside whatever else runs here."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from tests.fixtures.processes import START_SECONDS, free_port
from tests.fixtures.scripts import answer_of
from tests.fixtures.waiting import wait_until
from tests.integration.hosted.place import APP_DOMAIN, BASE_DOMAIN, DEPLOY, Place, certificate_in

COMPOSE_FILE: Final = DEPLOY / "compose.yaml"
EXAMPLE: Final = DEPLOY / ".env.example"
OWNER_EMAIL: Final = "owner@spunto.test"
_BUILD_SECONDS: Final = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose:
    """`docker compose` with the environment file of one deployment."""

    project: str
    command: Sequence[str]
    environment: Mapping[str, str]

    def run(self, *arguments: str, seconds: float = 120.0) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def inspected(self, service: str) -> dict[str, Any]:
        """What the engine tells of the service's container."""
        labels = {"project": self.project, "service": service}
        wanted = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        return dict(json.loads(self.docker("inspect", *self.docker("ps", "--quiet", *wanted).split()))[0])

    def docker(self, *arguments: str) -> str:
        return subprocess.run(
            ["docker", *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed(Place):
    compose: Compose


@contextmanager
def running_composed(directory: Path, engine_url: str) -> Iterator[Composed]:
    """All of it up, with an owner and without a node; at the end nothing of it is left, its images neither."""
    certificate, port = certificate_in(directory), free_port()
    settings = {
        "APP_DOMAIN": APP_DOMAIN,
        "BASE_DOMAIN": BASE_DOMAIN,
        "POSTGRES_PASSWORD": os.urandom(24).hex(),
        "CERTIFICATES": str(directory),
        "SPUNTO_OWNER_EMAIL": OWNER_EMAIL,
        "COMPOSE_PROJECT_NAME": f"spunto-test-{os.urandom(4).hex()}",
        "SUBNET": f"10.213.{8 + os.urandom(1)[0] % 240}.0/24",
        "HTTP_PORT": str(free_port()),
        "HTTPS_PORT": str(port),
        "SERVER_IMAGE": "localhost/spunto/composed-server",
        "EDGE_IMAGE": "localhost/spunto/composed-edge",
        "PYTHON_IMAGE": "localhost/spunto/stand-in-python:1",
        "POSTGRES_IMAGE": "localhost/spunto/stand-in-postgres:1",
        "CADDY_IMAGE": "localhost/spunto/stand-in-caddy:1",
    }
    compose = _compose(directory, engine_url, settings)
    try:
        compose.run("up", "--build", "--detach", seconds=_BUILD_SECONDS)
        place = Composed(
            directory=directory,
            port=port,
            certificate=certificate,
            token=compose.run("exec", "-T", "server-1", "spunto", "db", "owner-token").strip(),
            shown_port="",
            address=_address_of(compose.inspected("caddy")),
            compose=compose,
        )
        wait_until(lambda: _is_open(place), seconds=START_SECONDS, what=f"{place.url}/readyz")
        yield place
    except BaseException:
        print(compose.run("logs", "--no-color", "--tail", "40"), file=sys.stderr)  # noqa: T201 - as `ended` does
        raise
    finally:
        compose.run("down", "--volumes", "--remove-orphans", "--timeout", "1")
        for image in compose.docker("image", "ls", "--quiet", "localhost/spunto/composed-*").split():
            compose.docker("image", "rm", image)


def offered_settings() -> set[str]:
    """Whatever the example tells of, also where it leaves it as it is."""
    return set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))


def asked_settings() -> set[str]:
    """Whatever the compose file takes from there."""
    text = COMPOSE_FILE.read_text()
    return {*re.findall(r"\$\{([A-Z_]+)", text), *re.findall(r"^    ([A-Z_]+):$", text, re.MULTILINE)}


def _compose(directory: Path, engine_url: str, settings: Mapping[str, str]) -> Compose:
    assert settings.keys() <= offered_settings()
    file = directory / "deployment.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    program = shlex.split(answer_of("compose", str(Path(sys.executable).with_name("caddy"))))
    return Compose(
        project=settings["COMPOSE_PROJECT_NAME"],
        command=[*program, "--env-file", str(file), "--file", str(COMPOSE_FILE)],
        environment={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "DOCKER_HOST": engine_url,
            # The engine of Debian builds by itself alone.
            "DOCKER_BUILDKIT": "0",
        },
    )


def _address_of(container: Mapping[str, Any]) -> str:
    [network] = container["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def _is_open(place: Place) -> bool:
    with suppress(httpx.TransportError), place.client(token="") as client:
        return client.get("/readyz").is_success
    return False
