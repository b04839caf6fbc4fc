"""Who the user of an image is, as its own files say, and what they lack for a home; pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """`home` is None where the image's passwd does not know the user."""

    uid: int
    gid: int
    name: str
    home: str | None = None

    def at(self, home: str | None) -> "User":
        """The same at that home, or where nobody else is."""
        return replace(self, home=f"/home/{self.name}" if home in (None, "/") else home)


def user_of(said: str, *, passwd: str, group: str) -> User | None:
    """The user of `USER said`: a name or a number, with a group or without. None for a name that is not there."""
    who, _, of_group = said.partition(":")
    known = next((user for user in _users(passwd) if who in (user.name, str(user.uid))), None)
    if known is None and not who.isdecimal():
        return None
    user = known or User(uid=int(who), gid=0, name=f"u{who}")
    if not of_group:
        return user
    gid = int(of_group) if of_group.isdecimal() else _gid_of(of_group, group)
    return None if gid is None else replace(user, gid=gid)


def passwd_with(passwd: str, user: User) -> str:
    """The file with the user at that home, and with every other line as it is."""
    line = f"{user.name}:x:{user.uid}:{user.gid}:{user.name}:{user.home}:{_SHELL}"
    lines: list[str] = []
    is_there = False
    for each in passwd.splitlines():
        fields = each.split(":")
        is_theirs = len(fields) == 7 and fields[2] == str(user.uid) and not is_there
        lines.append(":".join([*fields[:5], user.home or "/", fields[6]]) if is_theirs else each)
        is_there = is_there or is_theirs
    return "\n".join([*lines, *([] if is_there else [line])]) + "\n"


def _users(passwd: str) -> Iterator[User]:
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdecimal() and fields[3].isdecimal():
            yield User(uid=int(fields[2]), gid=int(fields[3]), name=fields[0], home=fields[5] or "/")


def _gid_of(name: str, group: str) -> int | None:
    rows = (line.split(":") for line in group.splitlines())
    return next((int(row[2]) for row in rows if len(row) >= 3 and row[0] == name and row[2].isdecimal()), None)
