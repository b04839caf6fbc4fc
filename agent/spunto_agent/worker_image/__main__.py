"""Makes sure that this machine's engine has the default worker image: `python -m spunto_agent.worker_image`.

Only the standard library, since it also runs before any package is installed.
"""

import argparse
import fcntl
import http.client
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from spunto_agent.worker_image import engine_api

IMAGE = "localhost/spunto/worker:1"
CHANGES = (
    "USER vscode",
    "WORKDIR /workspace",
    'CMD ["sleep","infinity"]',
    "ENV LANG=C.UTF-8",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)
_RECIPE = Path(__file__).with_name("recipe.sh")
_BUILD_SECONDS = 900


class Failed(Exception):
    """There is no image; the message says why and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="spunto worker-image",
        description=f"Make sure that this machine's engine has {IMAGE}, and build it where it is missing.",
    )
    parser.add_argument("--engine", choices=("auto", "docker", "podman"), default="auto")
    parser.add_argument("--engine-url", help="its socket; otherwise that of the environment, or a usual place")
    asked = parser.parse_args()
    try:
        ensure(engine_url(asked.engine, asked.engine_url, os.environ))
    except (Failed, OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
        sys.stderr.write(f"spunto: {error}\n")
        return 1
    return 0


def ensure(url: str) -> None:
    """Raises Failed."""
    if engine_api.has_image(url, IMAGE):
        return
    with _alone(_cache()):
        if not engine_api.has_image(url, IMAGE):
            archive = _archive()
            sys.stderr.write(f"spunto: importing {IMAGE} into {url}\n")
            engine_api.import_image(url, IMAGE, archive, list(CHANGES))


def engine_url(kind: str, url: str | None, environment: Mapping[str, str]) -> str:
    """The engine that the agent would take. Raises Failed where none answers."""
    said = url or environment.get("SPUNTO_AGENT_ENGINE_URL")
    for candidate in [said] if said else _candidates(environment):
        found = engine_api.kind_of(candidate)
        if found is not None and kind in ("auto", found):
            return candidate
    raise Failed(f"no {'container' if kind == 'auto' else kind} engine answers, so that no image was looked for")


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    """Where the agent looks too, in the same order."""
    yield from filter(None, (environment.get("DOCKER_HOST"), environment.get("CONTAINER_HOST")))
    yield from ("unix:///var/run/docker.sock", "unix:///run/podman/podman.sock")
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield from (f"unix://{runtime}/docker.sock", f"unix://{runtime}/podman/podman.sock")


def _archive() -> Path:
    """The image's files, built where the cache has none. Raises Failed."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    archive = _cache() / f"{IMAGE.rpartition('/')[2].replace(':', '-')}-{release}.tar"
    if archive.exists() and archive.stat().st_size:
        return archive
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failed(
            f"{IMAGE} is built on Debian or Ubuntu as root: run `spunto worker-image` so, or copy it from a machine "
            "that has it (docker save, docker load), or name another image in SPUNTO_WORKER_IMAGE"
        )
    sys.stderr.write(f"spunto: building {IMAGE} from the distribution's packages; this takes a minute or two, once\n")
    partial, log = archive.with_suffix(".partial"), _cache() / "worker-image.log"
    with log.open("wb") as output:
        built = subprocess.run(
            ["bash", _RECIPE, partial], stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=_BUILD_SECONDS,
            check=False,
        )  # fmt: skip
    if built.returncode != 0:
        partial.unlink(missing_ok=True)
        raise Failed(f"{IMAGE} could not be built; see {log}")
    return partial.replace(archive)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    cache = (Path(home) if home else Path.home() / ".cache") / "spunto"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Of several that build at once one does, and the others find the work done."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
