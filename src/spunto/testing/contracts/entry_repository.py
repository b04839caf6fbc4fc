"""The contract of what people get in by: codes once, and links until they end."""

from datetime import datetime, timedelta
from typing import Any

from spunto.core.access.model import OrgId, SessionId, UserId
from spunto.core.routes.entry import EntryCode, LinkId, PortLink
from spunto.testing.contracts.store import LATER, NOW, Store, an_id


class EntryCodeRepositoryContract:
    async def test_a_code_is_taken_once(self, store: Store) -> None:
        code = a_code()
        await added(store, code)

        assert [await taken(store, code.code_hash) for _ in range(2)] == [code, None]
        assert await taken(store, b"unknown") is None

    async def test_an_old_code_is_not_taken(self, store: Store) -> None:
        code = a_code(expires_at=NOW)
        await added(store, code)

        assert await taken(store, code.code_hash) is None

    async def test_codes_that_nobody_came_with_in_time_are_forgotten(self, store: Store) -> None:
        code = a_code(expires_at=NOW + timedelta(seconds=1))
        await added(store, code)

        assert await taken(store, b"another", now=LATER) is None
        assert await taken(store, code.code_hash) is None


class PortLinkRepositoryContract:
    async def test_links_of_a_port_are_listed_until_they_end_the_newest_first(self, store: Store) -> None:
        worker_id = an_id("wkr")
        first, second = a_link(subject_id=worker_id), a_link(subject_id=worker_id)
        ended, other_port = a_link(subject_id=worker_id, expires_at=NOW), a_link(subject_id=worker_id, port=1)
        await linked(store, ended)
        await linked(store, first, second, other_port, a_link())

        async with store.reading() as tx:
            assert await tx.links.of_port(worker_id, 3000, now=NOW) == [second, first]
            assert await tx.links.of_subject(worker_id, now=NOW) == [other_port, second, first]

    async def test_a_link_is_found_by_its_id_and_by_its_token(self, store: Store) -> None:
        link = a_link()
        await linked(store, link, a_link())

        async with store.reading() as tx:
            assert await tx.links.find_all([link.id, LinkId(an_id("lnk"))]) == [link]
            assert await tx.links.find_by_token(link.token_hash) == link
            assert await tx.links.find_by_token(b"unknown") is None

    async def test_a_removed_link_is_gone(self, store: Store) -> None:
        link = a_link()
        await linked(store, link)

        async with store() as tx:
            assert [await tx.links.remove(link.id) for _ in range(2)] == [True, False]
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.links.find_all([link.id]) == []


def a_code(**changes: Any) -> EntryCode:
    fields: dict[str, Any] = {
        "code_hash": an_id("cod").encode(),
        "session_id": SessionId("ses_1"),
        "subject_id": "wkr_1",
        "host": "worker-1-x-3000.w.localhost",
        "nonce_hash": "n",
        "expires_at": LATER,
    }
    return EntryCode(**fields | changes)


def a_link(**changes: Any) -> PortLink:
    link_id = an_id("lnk")
    fields: dict[str, Any] = {
        "id": LinkId(link_id),
        "org_id": OrgId("org_1"),
        "subject_id": "wkr_1",
        "port": 3000,
        "token_hash": link_id.encode(),
        "made_by": UserId("usr_1"),
        "created_at": NOW,
        "expires_at": LATER,
    }
    return PortLink(**fields | changes)


async def added(store: Store, code: EntryCode) -> None:
    async with store() as tx:
        await tx.entry_codes.add(code)
        await tx.commit()


async def taken(store: Store, code_hash: bytes, *, now: datetime = NOW) -> EntryCode | None:
    async with store() as tx:
        found = await tx.entry_codes.take(code_hash, now=now)
        await tx.commit()
    return found


async def linked(store: Store, *links: PortLink) -> None:
    async with store() as tx:
        for link in links:
            await tx.links.add(link)
        await tx.commit()
