"""A real SMTP server on a port of this machine, which keeps what it takes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


class MailServer:
    """`answer` is what it says to a recipient; with `password` it wants that of the user `spunto`."""

    def __init__(self, *, answer: str | None = None, password: str | None = None) -> None:
        self.port = 0
        self.taken: asyncio.Queue[EmailMessage] = asyncio.Queue()
        self._answer = answer
        self._password = password

    # aiosmtpd asks its handler; these are its names and its arguments.
    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self._answer is None:
            envelope.rcpt_tos.append(address)
        return self._answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert envelope.rcpt_tos == [letter["To"]]
        self.taken.put_nowait(letter)
        return "250 OK"

    def session(self, *, knows_of_tls: bool, **settings: Any) -> SMTP:
        # It takes an outer TLS for none, and would then not let anybody log in.
        return SMTP(
            self,
            hostname=HOST,
            auth_required=knows_of_tls and self._password is not None,
            auth_require_tls=knows_of_tls,
            authenticator=self._authenticate,
            **settings,
        )

    def _authenticate(self, *arguments: Any) -> AuthResult:
        given = arguments[-1]
        assert isinstance(given, LoginPassword)
        is_good = (given.login, given.password) == (b"spunto", (self._password or "").encode())
        return AuthResult(success=is_good, handled=False)


@asynccontextmanager
async def running(
    *, answer: str | None = None, password: str | None = None, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[MailServer]:
    """`tls` is for encryption from the first byte; a `tls_context` offers STARTTLS."""
    server = MailServer(answer=answer, password=password)

    def session() -> SMTP:
        return server.session(knows_of_tls=tls is None, **settings)

    listener = await asyncio.get_running_loop().create_server(session, HOST, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


def own_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this machine that nobody else vouches for: its file, and a server's context with it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return public, context
