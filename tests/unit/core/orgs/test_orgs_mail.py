"""The mail of an invitation: sent once it is kept, again until it is taken, and never with a stored token."""

from dataclasses import dataclass, field

import pytest
from tests.unit.core.builders import ORG, an_actor
from tests.unit.core.memory import Memory

from spunto.adapters.memory.mailer import MemoryMailer
from spunto.core.access.model import UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import NotFound, Unavailable
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.invitation import LIFETIME, Invited, MailState
from spunto.core.orgs.mail import KIND, InvitationMail, InvitationMailer, Mailer
from spunto.core.orgs.model import User

GUEST = UserId("usr_00000000000000000000000009")
URL = "https://spunto.example.org"


@dataclass
class BrokenMailer:
    """Takes the mail and loses the answer."""

    taken: list[InvitationMail] = field(default_factory=list)

    async def send_invitation(self, mail: InvitationMail) -> MailState:
        self.taken.append(mail)
        raise Unavailable("mail_server_unavailable", "away")


class RefusingMailer:
    async def send_invitation(self, mail: InvitationMail) -> MailState:
        return MailState.REFUSED


async def invited(memory: Memory) -> Invited:
    async with memory.store() as tx:
        user = User(id=GUEST, name="Guest", email="guest@example.org", created_at=memory.clock.now())
        await tx.members.add_user(user)
        await tx.commit()
    return await memory.invitations.create(memory.owner, ORG, email="guest@example.org", role=Role.MEMBER)


def loop_of(memory: Memory, mailer: Mailer) -> InvitationMailer:
    return InvitationMailer(memory.racing, mailer=mailer, clock=memory.clock, public_url=URL)


async def state(memory: Memory) -> MailState:
    [invitation] = (await memory.invitations.list(memory.owner, ORG, PageRequest())).items
    return invitation.mail


def token_in(mail: InvitationMail) -> Secret:
    link = mail.url.reveal()
    assert link.startswith(f"{URL}/invites/")
    return Secret(link.rpartition("/")[2])


async def test_an_invitation_makes_its_mail_due(memory: Memory) -> None:
    made = await invited(memory)

    [claim] = await memory.store.queue.claim(KIND, now=memory.clock.now(), limit=9, for_seconds=1)

    assert claim.subject_id == made.invitation.id


async def test_the_mail_says_who_invites_whom_to_what(memory: Memory) -> None:
    mailer, made = MemoryMailer(), await invited(memory)

    again_seconds = await loop_of(memory, mailer).handle(made.invitation.id)

    [mail] = mailer.sent
    assert (mail.to, mail.organization, mail.invited_by, mail.role) == ("guest@example.org", "Org", "x", Role.MEMBER)
    assert (mail.expires_at, again_seconds, await state(memory)) == (made.invitation.expires_at, None, MailState.SENT)


async def test_both_links_open_the_invitation_and_it_opens_once(memory: Memory) -> None:
    mailer, made = MemoryMailer(), await invited(memory)
    await loop_of(memory, mailer).handle(made.invitation.id)
    mailed, guest = token_in(mailer.sent[0]), an_actor(user_id=GUEST, roles={})

    assert await memory.invitations.preview(mailed) == await memory.invitations.preview(made.token)
    await memory.invitations.accept(guest, mailed)

    with pytest.raises(NotFound):
        await memory.invitations.accept(guest, made.token)


async def test_a_mail_is_sent_once(memory: Memory) -> None:
    mailer, made = MemoryMailer(), await invited(memory)
    await loop_of(memory, mailer).handle(made.invitation.id)

    await loop_of(memory, mailer).handle(made.invitation.id)

    assert len(mailer.sent) == 1


async def test_what_was_not_taken_is_sent_again_with_a_link_that_works(memory: Memory) -> None:
    broken, mailer, made = BrokenMailer(), MemoryMailer(), await invited(memory)
    with pytest.raises(Unavailable):
        await loop_of(memory, broken).handle(made.invitation.id)
    assert await state(memory) is MailState.PENDING

    await loop_of(memory, mailer).handle(made.invitation.id)

    with pytest.raises(NotFound):
        await memory.invitations.preview(token_in(broken.taken[0]))
    await memory.invitations.accept(an_actor(user_id=GUEST, roles={}), token_in(mailer.sent[0]))


async def test_what_is_refused_for_ever_is_not_tried_again(memory: Memory) -> None:
    mailer, made = MemoryMailer(), await invited(memory)
    await loop_of(memory, RefusingMailer()).handle(made.invitation.id)
    assert await state(memory) is MailState.REFUSED

    await loop_of(memory, mailer).handle(made.invitation.id)

    assert mailer.sent == []


async def test_nothing_is_mailed_of_what_is_over(memory: Memory) -> None:
    mailer, made = MemoryMailer(), await invited(memory)
    memory.clock.advance(LIFETIME.total_seconds())

    await loop_of(memory, mailer).handle(made.invitation.id)
    await loop_of(memory, mailer).handle("inv_00000000000000000000000000")

    assert mailer.sent == []


async def test_an_invitation_used_up_while_its_mail_was_on_the_way_is_left_alone(memory: Memory) -> None:
    made = await invited(memory)

    class AcceptedMeanwhile:
        async def send_invitation(self, mail: InvitationMail) -> MailState:
            await memory.invitations.accept(an_actor(user_id=GUEST, roles={}), token_in(mail))
            return MailState.SENT

    assert await loop_of(memory, AcceptedMeanwhile()).handle(made.invitation.id) is None
