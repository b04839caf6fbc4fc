"""Mail by an SMTP server."""

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from typing import Final

import aiosmtplib
import structlog

from spunto.adapters.smtp.letter import invitation_letter
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.invitation import MailState
from spunto.core.orgs.mail import InvitationMail

SEND_SECONDS: Final = 15.0
"""Less than the loop gives to one subject."""

log = structlog.get_logger()


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    host: str
    port: int
    security: Security = Security.STARTTLS
    username: str | None = None
    password: Secret | None = None


class SmtpMailer:
    """A connection for each mail; certificates are checked."""

    def __init__(self, server: SmtpServer, *, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def send_invitation(self, mail: InvitationMail) -> MailState:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(invitation_letter(mail, sender=self._sender))
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(mail, error.recipients[0].code)
        except aiosmtplib.SMTPDataError as error:
            return _refused(mail, error.code)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise _unavailable(error) from error
        return MailState.SENT

    async def _send(self, letter: EmailMessage) -> None:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=None if server.password is None else server.password.reveal(),
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.STARTTLS,
            timeout=SEND_SECONDS,
        )
        async with client:
            await client.send_message(letter)


def _refused(mail: InvitationMail, code: int) -> MailState:
    """5xx is for ever; everything else is worth another try (RFC 5321, 4.2.1)."""
    if not 500 <= code < 600:
        raise _unavailable(None, code=code)
    log.warning("mail_refused", to=mail.to, code=code)
    return MailState.REFUSED


def _unavailable(error: BaseException | None, *, code: int | None = None) -> Unavailable:
    reason = f"it answered {code}" if error is None else type(error).__name__
    return Unavailable("mail_server_unavailable", f"The mail server does not take mail now: {reason}.")
