"""Mail that goes nowhere: kept in memory, for tests that look at what would have been sent."""

from spunto.core.orgs.invitation import MailState
from spunto.core.orgs.mail import InvitationMail


class MemoryMailer:
    def __init__(self) -> None:
        self.sent: list[InvitationMail] = []

    async def send_invitation(self, mail: InvitationMail) -> MailState:
        self.sent.append(mail)
        return MailState.SENT
