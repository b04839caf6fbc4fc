"""Invitations by mail through a real SMTP server."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.smtp.mail_server import HOST, MailServer, own_certificate, running

from spunto.adapters.smtp.mailer import Security, SmtpMailer, SmtpServer
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.invitation import MailState
from spunto.core.orgs.mail import InvitationMail
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.mailing import mailer_of
from spunto.entrypoints.serving.settings import Settings

SENDER = "Spunto <spunto@example.org>"
MAIL = InvitationMail(
    to="guest@example.org",
    organization="Öl & Co",
    invited_by="Ann",
    role=Role.ADMIN,
    url=Secret("https://spunto.example.org/invites/spi_token"),
    expires_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
)
WAIT_SECONDS = 20.0


def mailer_to(port: int, security: Security = Security.NONE, **login: Any) -> SmtpMailer:
    return SmtpMailer(SmtpServer(host=HOST, port=port, security=security, **login), sender=SENDER)


async def test_a_mail_arrives_whole() -> None:
    async with running() as server:
        assert await mailer_to(server.port).send_invitation(MAIL) is MailState.SENT

    letter = server.taken.get_nowait()
    assert (letter["From"], letter["To"]) == (SENDER, "guest@example.org")
    assert letter["Subject"] == "Join Öl & Co on Spunto"
    assert "https://spunto.example.org/invites/spi_token" in letter.get_content().splitlines()


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_a_mail_goes_encrypted_with_a_login(
    security: Security, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = own_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    encrypted: dict[str, Any] = (
        {"tls": context} if security is Security.TLS else {"tls_context": context, "require_starttls": True}
    )

    async with running(password="right", **encrypted) as server:
        port = server.port
        sent = await mailer_to(port, security, username="spunto", password=Secret("right")).send_invitation(MAIL)
        with pytest.raises(Unavailable) as caught:
            await mailer_to(port, security, username="spunto", password=Secret("wrong")).send_invitation(MAIL)

    assert (sent, server.taken.qsize()) == (MailState.SENT, 1)
    assert "wrong" not in caught.value.message


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(security: Security, tmp_path: Path) -> None:
    _, context = own_certificate(tmp_path)
    encrypted: dict[str, Any] = {"tls": context} if security is Security.TLS else {"tls_context": context}

    async with running(**encrypted) as server:
        with pytest.raises(Unavailable):
            await mailer_to(server.port, security).send_invitation(MAIL)

    assert server.taken.empty()


async def test_nothing_is_sent_in_the_clear_where_it_was_to_be_encrypted() -> None:
    async with running() as server:
        with pytest.raises(Unavailable):
            await mailer_to(server.port, Security.STARTTLS).send_invitation(MAIL)

    assert server.taken.empty()


async def test_an_address_that_there_is_not_is_refused_for_ever() -> None:
    async with running(answer="550 5.1.1 no such user") as server:
        assert await mailer_to(server.port).send_invitation(MAIL) is MailState.REFUSED


async def test_a_busy_server_may_take_it_later() -> None:
    async with running(answer="451 4.7.1 greylisted") as server:
        with pytest.raises(Unavailable) as caught:
            await mailer_to(server.port).send_invitation(MAIL)

    assert caught.value.code == "mail_server_unavailable"


async def test_a_server_that_is_away_may_take_it_later() -> None:
    async with running() as server:
        port = server.port

    with pytest.raises(Unavailable):
        await mailer_to(port).send_invitation(MAIL)


async def test_no_mail_is_lost_by_a_restart_while_the_mail_server_is_away(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/spunto.db"
    async with running() as away:
        port = away.port
    async with Spunto.on_database(database, keyring=tmp_path / "keyring", mailer=mailer_to(port)) as spunto:
        owner, organization = await spunto.bootstrap()
        await spunto.invitations.create(owner, organization.id, email="guest@example.org", role=Role.MEMBER)

    async with (
        running() as server,
        Spunto.on_database(database, keyring=tmp_path / "keyring", mailer=mailer_to(server.port)) as spunto,
    ):
        async with asyncio.timeout(WAIT_SECONDS):
            link = await _link_in(server)
            preview = await spunto.invitations.preview(Secret(link.rpartition("/")[2]))

    assert (preview.organization, preview.email) == ("default", "guest@example.org")


async def test_no_token_is_kept_in_the_database(tmp_path: Path) -> None:
    async with (
        running() as server,
        Spunto.on_database(
            f"sqlite+aiosqlite:///{tmp_path}/spunto.db", keyring=tmp_path / "keyring", mailer=mailer_to(server.port)
        ) as spunto,
    ):
        owner, organization = await spunto.bootstrap()
        made = await spunto.invitations.create(owner, organization.id, email="g@example.org", role=Role.MEMBER)
        async with asyncio.timeout(WAIT_SECONDS):
            mailed = (await _link_in(server)).rpartition("/")[2]

    stored = _bytes_in(tmp_path)
    assert b"g@example.org" in stored
    for token in (mailed, made.token.reveal()):
        assert token.removeprefix("spi_").encode() not in stored


def test_the_settings_say_which_server(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("right\n")
    settings = Settings(smtp_host=HOST, smtp_port=25, smtp_username="spunto", smtp_password_file=password)

    mailer = mailer_of(settings)

    assert isinstance(mailer, SmtpMailer)
    assert mailer._server == SmtpServer(host=HOST, port=25, username="spunto", password=Secret("right"))
    assert "right" not in repr(mailer._server)


async def _link_in(server: MailServer) -> str:
    text: str = (await server.taken.get()).get_content()
    return next(line for line in text.splitlines() if "/invites/" in line)


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())
