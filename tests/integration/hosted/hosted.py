"""A hosted Spunto as processes: two servers on one Postgres, two edges, and Caddy before them, set up by `deploy/`."""

import base64
import contextlib
import hashlib
import shlex
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from tests.fixtures.processes import START_SECONDS, Program, Server, ended, free_port, server_of
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import cleared_away
from tests.integration.journeys.command_line import CommandLine

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
APP_DOMAIN: Final = "spunto.test"
BASE_DOMAIN: Final = "workers.test"
EDGES: Final = ("edge-1", "edge-2")
NAMES: Final = (APP_DOMAIN, *(f"{edge}.{APP_DOMAIN}" for edge in EDGES))
# Caddy stands on this machine, like everything else here.
PROXIES: Final = "127.0.0.0/8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM. `pin` is the SHA-256 of its public key, by which a browser trusts it alone."""

    authority: Path
    chain: Path
    key: Path
    pin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    directory: Path
    port: int
    certificate: Certificate
    token: str
    servers: Sequence[Server]
    edges: Sequence[Program]
    caddy: Program
    cli: CommandLine
    database: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"https://{APP_DOMAIN}:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate.authority)

    def client(self, host: str = APP_DOMAIN, *, token: str | None = None) -> httpx.Client:
        """By the host's name, at this machine's address; the owner's unless `token` is another one or empty."""
        shown = self.token if token is None else token
        client = httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": f"{host}:{self.port}", **({"Authorization": f"Bearer {shown}"} if shown else {})},
            verify=self.trust,
            http2=True,
            timeout=60,
        )
        client.event_hooks["request"].append(lambda request: request.extensions.update(sni_hostname=host))
        return client

    def start(self) -> None:
        """Start what does not run, and wait until all answer."""
        for server in self.servers:
            server.start()
        self.caddy.start()
        for server in self.servers:
            server.wait_ready()
        for edge in self.edges:
            edge.start()
        for edge in self.edges:
            wait_until(lambda: _leads_to_server(edge), seconds=START_SECONDS, what=edge.tail())  # noqa: B023
        wait_until(self._is_open, seconds=START_SECONDS, what=f"{self.url}/readyz\n{self.caddy.tail()}")

    def _is_open(self) -> bool:
        with contextlib.suppress(httpx.TransportError), self.client(token="") as client:
            return client.get("/readyz").is_success
        return False

    @contextmanager
    def agent(self, engine_url: str, token: str) -> Iterator[Program]:
        """Of a node whose machine knows the names here, and trusts the authority."""
        hosts, token_file = self.directory / "hosts", self.directory / "node.token"
        hosts.write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")
        token_file.touch(mode=0o600)
        token_file.write_text(token)
        agent = Program(
            name="agent",
            command=[*_knowing(hosts), sys.executable, "-m", "spunto_agent"],
            environment={
                "SPUNTO_AGENT_SERVER_URL": self.url,
                "SPUNTO_AGENT_TOKEN_FILE": str(token_file),
                "SPUNTO_AGENT_DATA_DIR": str(self.directory / "agent"),
                "SPUNTO_AGENT_ENGINE_URL": engine_url,
                "SSL_CERT_FILE": str(self.certificate.authority),
            },
            log=self.directory / "agent.log",
        )
        with cleared_away(engine_url, token_file), ended([agent]):
            agent.start()
            yield agent


@contextmanager
def running_hosted(directory: Path, database_url: str) -> Iterator[Hosted]:
    """Set up by the commands that the documentation names; ready, with an owner, and without a node."""
    cli = CommandLine(home=directory / "home")
    keyring, port, inner_port = directory / "keyring", free_port(), free_port()
    database = {"SPUNTO_DATABASE_URL": database_url, "SPUNTO_KEYRING": str(keyring)}
    cli.run("keys", "generate", code=0, **database)
    cli.run("db", "upgrade", code=0, **database)
    token = cli.run("db", "owner-token", code=0, **database).out.strip()
    servers = [_server(directory / f"server-{number}", database, port, inner_port) for number in (1, 2)]
    edges = [_edge(directory, name, cli, database, port, inner_port) for name in EDGES]
    certificate = _certificate(directory)
    caddy = Program(
        name="caddy",
        command=[str(Path(sys.executable).with_name("caddy")), "run", "--config", str(DEPLOY / "Caddyfile")],
        environment={
            "APP_DOMAIN": APP_DOMAIN,
            "BASE_DOMAIN": BASE_DOMAIN,
            "CERTIFICATE": str(certificate.chain),
            "PRIVATE_KEY": str(certificate.key),
            "HTTP_PORT": str(free_port()),
            "HTTPS_PORT": str(port),
            "INNER_PORT": str(inner_port),
            "SERVERS": " ".join(server.url.removeprefix("http://") for server in servers),
            "EDGES": " ".join(_address(edge) for edge in edges),
            **{f"EDGE_{number}": _address(edge) for number, edge in enumerate(edges, 1)},
            "XDG_DATA_HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory),
        },
        log=directory / "caddy.log",
    )
    hosted = Hosted(
        directory=directory,
        port=port,
        certificate=certificate,
        token=token,
        servers=servers,
        edges=edges,
        caddy=caddy,
        cli=cli,
        database=database,
    )
    with ended([*servers, *edges, caddy]):
        hosted.start()
        yield hosted


def _server(directory: Path, database: Mapping[str, str], port: int, inner_port: int) -> Server:
    return server_of(
        directory,
        box=False,
        environment={
            **database,
            "SPUNTO_PUBLIC_URL": f"https://{APP_DOMAIN}:{port}",
            "SPUNTO_BASE_DOMAIN": BASE_DOMAIN,
            "SPUNTO_ALLOWED_HOSTS": f"127.0.0.1:{inner_port}",
            "SPUNTO_TRUSTED_PROXIES": PROXIES,
            "SPUNTO_REPLICA_URL": f"http://127.0.0.1:{free_port()}",
        },
    )


def _edge(
    directory: Path, name: str, cli: CommandLine, database: Mapping[str, str], port: int, inner_port: int
) -> Program:
    token_file = directory / f"{name}.token"
    token_file.touch(mode=0o600)
    token_file.write_text(cli.run("edge", "create", name, code=0, **database).out)
    return Program(
        name=name,
        command=[cli.program, "edge"],
        environment={
            "SPUNTO_EDGE_PORT": str(free_port()),
            "SPUNTO_EDGE_SERVER": f"http://127.0.0.1:{inner_port}",
            "SPUNTO_EDGE_URL": f"https://{name}.{APP_DOMAIN}:{port}",
            "SPUNTO_EDGE_TOKEN_FILE": str(token_file),
            "SPUNTO_EDGE_TRUSTED_PROXIES": PROXIES,
        },
        log=directory / f"{name}.log",
    )


def _address(edge: Program) -> str:
    return f"127.0.0.1:{edge.environment['SPUNTO_EDGE_PORT']}"


def _certificate(directory: Path) -> Certificate:
    """Of an authority that nobody else trusts, for all names here."""
    authority = trustme.CA()
    issued = authority.issue_cert(*NAMES, f"*.{BASE_DOMAIN}")
    leaf = issued.cert_chain_pems[0].bytes()
    public = load_pem_x509_certificate(leaf).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    made = Certificate(
        authority=directory / "authority.pem",
        chain=directory / "fullchain.pem",
        key=directory / "privkey.pem",
        pin=base64.b64encode(hashlib.sha256(public).digest()).decode(),
    )
    authority.cert_pem.write_to_path(str(made.authority))
    made.chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(made.key))
    return made


def _knowing(hosts: Path) -> Sequence[str]:
    """Runs a command that finds its hosts in the file."""
    mount = f'mount --bind {shlex.quote(str(hosts))} /etc/hosts && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, "sh")


def _leads_to_server(edge: Program) -> bool:
    """Which it does once it knows from the server what is a worker's."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://{_address(edge)}/healthz").is_success
    return False
