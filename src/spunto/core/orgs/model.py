"""Organizations, the people in them and their roles."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from spunto.core.access.model import OrgId, UserId
from spunto.core.access.policy import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    id: OrgId
    name: str
    slug: str
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UserId
    name: str
    email: str
    created_at: datetime
    dotfiles_repo: str | None = None
    version: int = 1

    def with_settings(self, *, name: str, dotfiles_repo: str | None) -> "User":
        return replace(self, name=name, dotfiles_repo=dotfiles_repo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom an issuer means by a subject. An e-mail address identifies nobody: it may be given to somebody else."""

    issuer: str
    subject: str
    user_id: UserId
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    org_id: OrgId
    user_id: UserId
    role: Role
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A membership with the person behind it."""

    user: User
    role: Role
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationView:
    """An organization as one of its members sees it."""

    organization: Organization
    role: Role


def slug_for(name: str) -> str:
    """A name as it may stand in a URL: lower-case letters, digits and single dashes, 1 to 40 characters."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "-".join(words)[:40].strip("-") or "org"
