"""Entry codes and links to ports in memory."""

from collections.abc import Collection, Sequence
from datetime import datetime

from spunto.adapters.memory.rows import Draft
from spunto.core.access.model import OrgId
from spunto.core.routes.entry import EntryCode, LinkId, PortLink


class MemoryEntryCodes:
    def __init__(self, codes: Draft[bytes, EntryCode]) -> None:
        self._codes = codes

    async def add(self, code: EntryCode) -> None:
        self._codes.put(code.code_hash, code)

    async def take(self, code_hash: bytes, *, now: datetime) -> EntryCode | None:
        code = self._codes.get(code_hash)
        used = {code_hash} if code is not None else set()
        for known in used | {each.code_hash for each in self._codes.values() if each.expires_at <= now}:
            self._codes.drop(known)
        return code if code is not None and now < code.expires_at else None


class MemoryPortLinks:
    def __init__(self, links: Draft[LinkId, PortLink]) -> None:
        self._links = links

    async def add(self, link: PortLink) -> None:
        self._links.put(link.id, link)

    async def of_port(self, subject_id: str, port: int, *, now: datetime) -> Sequence[PortLink]:
        found = (each for each in self._links.values() if (each.subject_id, each.port) == (subject_id, port))
        return sorted((each for each in found if each.is_good(now)), key=lambda each: each.id, reverse=True)

    async def of_subject(self, subject_id: str, *, now: datetime) -> Sequence[PortLink]:
        found = (each for each in self._links.values() if each.subject_id == subject_id and each.is_good(now))
        return sorted(found, key=lambda each: each.id, reverse=True)

    async def find_all(self, link_ids: Collection[LinkId]) -> Sequence[PortLink]:
        return [link for link_id in link_ids if (link := self._links.get(link_id)) is not None]

    async def find_by_token(self, token_hash: bytes) -> PortLink | None:
        return next((each for each in self._links.values() if each.token_hash == token_hash), None)

    async def remove(self, link_id: LinkId) -> bool:
        is_there = self._links.get(link_id) is not None
        self._links.drop(link_id)
        return is_there

    def remove_of(self, org_id: OrgId) -> None:
        for link in [each for each in self._links.values() if each.org_id == org_id]:
            self._links.drop(link.id)
