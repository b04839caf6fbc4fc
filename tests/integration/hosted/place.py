"""Where a hosted Spunto is reached by: names that lead to this machine, and a certificate that nobody else trusts."""

import base64
import hashlib
import shlex
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from tests.fixtures.processes import Program, ended
from tests.integration.journeys.boxes import cleared_away

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
APP_DOMAIN: Final = "spunto.test"
BASE_DOMAIN: Final = "workers.test"
EDGES: Final = ("edge-1", "edge-2")
NAMES: Final = (APP_DOMAIN, *(f"{edge}.{APP_DOMAIN}" for edge in EDGES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM. `pin` is the SHA-256 of its public key, by which a browser trusts it alone."""

    authority: Path
    chain: Path
    key: Path
    pin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Caddy listens on this machine's `port`. `shown_port` is what follows names in URLs, empty for the usual one, and
    `address` is where nodes find the names."""

    directory: Path
    port: int
    certificate: Certificate
    token: str
    shown_port: str
    address: str

    @property
    def url(self) -> str:
        return self.url_of(APP_DOMAIN)

    def url_of(self, host: str) -> str:
        return f"https://{host}{self.shown_port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate.authority)

    def client(self, host: str = APP_DOMAIN, *, token: str | None = None) -> httpx.Client:
        """By the host's name, at this machine's address; the owner's unless `token` is another one or empty."""
        shown = self.token if token is None else token
        client = httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": f"{host}{self.shown_port}", **({"Authorization": f"Bearer {shown}"} if shown else {})},
            verify=self.trust,
            http2=True,
            timeout=60,
        )
        client.event_hooks["request"].append(lambda request: request.extensions.update(sni_hostname=host))
        return client

    @contextmanager
    def agent(self, engine_url: str, token: str) -> Iterator[Program]:
        """Of a node whose machine knows the names here, and trusts the authority."""
        hosts, token_file = self.directory / "hosts", self.directory / "node.token"
        hosts.write_text(f"127.0.0.1 localhost\n{self.address} {' '.join(NAMES)}\n")
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


def certificate_in(directory: Path) -> Certificate:
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
