"""Mail where there is no mail server: the link goes to the log, for the operator to pass on."""

import structlog

from spunto.core.orgs.invitation import MailState
from spunto.core.orgs.mail import InvitationMail

log = structlog.get_logger()


class LogMailer:
    async def send_invitation(self, mail: InvitationMail) -> MailState:
        # The one secret that is logged, because there is no other way for it to get to its person.
        log.info("invitation_not_mailed", to=mail.to, organization=mail.organization, url=mail.url.reveal())
        return MailState.LOGGED
