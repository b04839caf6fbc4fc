"""How a server becomes a node: a one-line command, a cloud-init document, and what both fetch from here."""

import asyncio
from functools import cache
from importlib.metadata import version
from pathlib import Path
from shlex import quote
from string import Template

from quart import Blueprint, Response

from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.wheel import build_wheel, wheel_name
from spunto.entrypoints.serving.security import PublicAddress

SCRIPT = Path(__file__).with_name("install.sh")

CLOUD_INIT = """#cloud-config
write_files:
  - path: /etc/spunto/agent.token
    permissions: "0600"
    content: |
      {token}
runcmd:
  - ["sh", "-c", "script=$(curl -fsSL {url}/api/agent/install.sh) && sh -c \\"$script\\""]
"""


def install_command(address: PublicAddress, token: Secret) -> str:
    """For root's shell. The token goes by the environment, where `ps` does not show it. A pipe would hide that the
    script could not be fetched: the shell behind it has nothing to do and succeeds."""
    return f'{_fetched(address)} && SPUNTO_AGENT_TOKEN={quote(token.reveal())} sh -c "$script"'


def upgrade_command(address: PublicAddress) -> str:
    """For root's shell on a machine that is a node already: this server's agent, with the token that is there."""
    return f'{_fetched(address)} && sh -c "$script"'


def _fetched(address: PublicAddress) -> str:
    return f"script=$(curl -fsSL {quote(address.programs_url + '/api/agent/install.sh')})"


def cloud_init(address: PublicAddress, token: Secret) -> str:
    """User data for a fresh server; see cloudinit.readthedocs.io."""
    return CLOUD_INIT.format(token=token.reveal(), url=address.programs_url)


def install_blueprint(address: PublicAddress) -> Blueprint:
    routes = Blueprint("install", __name__, url_prefix="/api/agent")

    @routes.get("/install.sh")
    @operation(
        "Get the script that makes a server into a node",
        answers={200: "text/x-shellscript"},
        operation_id="getInstallScript",
    )
    async def script() -> Response:
        text = Template(SCRIPT.read_text()).safe_substitute(
            server_url=address.programs_url, wheel=wheel_name(version("spunto"))
        )
        return Response(text, content_type="text/x-shellscript; charset=utf-8")

    @routes.get("/wheels/<name>")
    @operation(
        "Get this version's Python package, which holds the agent",
        answers={200: "application/octet-stream"},
        errors=("wheel_not_found",),
        operation_id="getAgentWheel",
    )
    async def wheel(name: str) -> Response:
        if name != wheel_name(version("spunto")):
            raise NotFound("wheel_not_found", f"There is no {name!r}; fetch install.sh again.", name=name)
        return Response(await asyncio.to_thread(_wheel), content_type="application/octet-stream")

    return routes


@cache
def _wheel() -> bytes:
    return build_wheel()
