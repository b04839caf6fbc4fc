"""This very installation as a wheel, so that a node's agent is always of the server's version (PEP 427)."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, version
from importlib.util import find_spec
from pathlib import Path

from spunto.core.kernel.build import COMMIT_FILE, this_build

PACKAGES = ("spunto", "spunto_agent")
DESCRIPTION = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_TAGS = "Wheel-Version: 1.0\nGenerator: spunto\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_name(of_version: str) -> str:
    return f"spunto-{of_version}-py3-none-any.whl"


def build_wheel() -> bytes:
    """The wheel's bytes; equal installations give equal ones."""
    info = f"spunto-{version('spunto')}.dist-info"
    commit = (f"spunto/{COMMIT_FILE}", this_build().commit.encode())
    packaged = [each for each in _package_files() if each[0] != commit[0]]
    files = [*packaged, commit, *_described(info), (f"{info}/WHEEL", _TAGS.encode())]
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*files, (f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode())]:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return body.getvalue()


def _package_files() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    yield f"{package}/{file.relative_to(folder).as_posix()}", file.read_bytes()


def _described(info: str) -> Iterator[tuple[str, bytes]]:
    """What the installation's own metadata says of it."""
    for name in DESCRIPTION:
        text = distribution("spunto").read_text(name)
        if text is not None:
            yield f"{info}/{name}", text.encode()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
