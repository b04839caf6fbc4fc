"""An invitation as mail."""

from datetime import UTC, datetime

import pytest

from spunto.adapters.smtp.letter import invitation_letter
from spunto.core.access.policy import Role
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.mail import InvitationMail


def a_mail(organization: str = "Acme", invited_by: str = "Ann") -> InvitationMail:
    return InvitationMail(
        to="guest@example.org",
        organization=organization,
        invited_by=invited_by,
        role=Role.ADMIN,
        url=Secret("https://spunto.example.org/invites/spi_token"),
        expires_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    )


def test_a_letter_says_all_that_its_reader_needs() -> None:
    letter = invitation_letter(a_mail(), sender="Spunto <spunto@example.org>")

    assert (letter["From"], letter["To"]) == ("Spunto <spunto@example.org>", "guest@example.org")
    assert (letter["Subject"], letter["Auto-Submitted"]) == ("Join Acme on Spunto", "auto-generated")
    assert letter["Message-ID"].endswith("@example.org>")
    text = letter.get_content()
    for part in (
        "Ann invites you to join Acme",
        "as admin",
        "https://spunto.example.org/invites/spi_token",
        "2026-03-01",
    ):
        assert part in text


@pytest.mark.parametrize(
    "name", ["Acme\r\nBcc: all@example.org", "Acme\x00\x1b[2J", "Acme\n\nOpen https://evil.example"]
)
def test_a_name_adds_no_header_and_no_line(name: str) -> None:
    letter = invitation_letter(a_mail(organization=name, invited_by=name), sender="spunto@example.org")

    assert "Bcc" not in letter
    assert letter["Subject"] == f"Join {' '.join(name.replace(chr(0), ' ').replace(chr(27), ' ').split())} on Spunto"
    assert len(letter.get_content().splitlines()) == 7


def test_a_link_of_a_mail_is_in_no_repr() -> None:
    assert "spi_token" not in repr(a_mail())
