"""Which mailer the settings ask for."""

from urllib.parse import urlsplit

from spunto.adapters.log_mailer import LogMailer
from spunto.core.orgs.mail import Mailer
from spunto.entrypoints.serving.secret_settings import secret_of
from spunto.entrypoints.serving.settings import Settings


def mailer_of(settings: Settings) -> Mailer:
    """The SMTP server's, or without one the log's. Raises Invalid for a password file that can't be read."""
    if settings.smtp_host is None:
        return LogMailer()
    # Not needed where there is no mail server.
    from spunto.adapters.smtp.mailer import Security, SmtpMailer, SmtpServer

    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=Security(settings.smtp_security),
        username=settings.smtp_username,
        password=secret_of(settings.smtp_password, settings.smtp_password_file, setting="SPUNTO_SMTP_PASSWORD"),
    )
    return SmtpMailer(server, sender=settings.smtp_from or f"Spunto <spunto@{urlsplit(settings.url).hostname}>")
