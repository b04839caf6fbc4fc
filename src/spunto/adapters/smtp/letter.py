"""What an invitation looks like as mail."""

from email.message import EmailMessage
from email.utils import localtime, make_msgid, parseaddr
from typing import Final

from spunto.core.orgs.mail import InvitationMail

_TEXT: Final = """\
{invited_by} invites you to join {organization} on Spunto as {role}.

Open this link to join, signed in with this e-mail address ({to}):

{url}

It works once, until {until}. If you don't expect this, ignore it: nothing happens without the link.
"""


def invitation_letter(mail: InvitationMail, *, sender: str) -> EmailMessage:
    organization, invited_by = one_line(mail.organization), one_line(mail.invited_by)
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = mail.to
    letter["Subject"] = f"Join {organization} on Spunto"
    letter["Date"] = localtime()
    letter["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2] or None)
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(
        _TEXT.format(
            invited_by=invited_by,
            organization=organization,
            role=mail.role.value,
            to=mail.to,
            url=mail.url.reveal(),
            until=f"{mail.expires_at:%Y-%m-%d %H:%M} UTC",
        )
    )
    return letter


def one_line(text: str) -> str:
    """Names that people choose, without what could end a header or pose as more text."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
