"""One of two edges is cut off from the server: what it still serves, what the other one does, and how it comes back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from tests.chaos.edges.region import Region, listening_in
from tests.chaos.edges.sockets import Talk, talking
from tests.fixtures.waiting import eventually

REVOKED_SECONDS = 5.0
# What an edge serves by its last grants.
AWAY_SECONDS = 600.0
# An edge waits two seconds for a server that says nothing, and this machine has much else to do.
_SLOWEST_SECONDS = 4.0
_BACK_SECONDS = 30.0
_MARGIN_SECONDS = 15.0


@dataclass(slots=True, kw_only=True)
class Visitor:
    """Somebody who goes on asking."""

    cookie: str
    seconds: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    async def ask(self, region: Region) -> None:
        begun = time.monotonic()
        answer = await region.ask(region.edges[0], Cookie=self.cookie)
        self.seconds.append(time.monotonic() - begun)
        if not answer.is_success:
            self.refused.append(answer.status_code)

    async def go_on(self, region: Region, *, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.ask(region)
            await asyncio.sleep(0.5)


async def one_edge_is_cut_off(region: Region, *, seconds: float) -> str:
    """For so long, which is less than its last grants hold."""
    cut_off, other = region.edges
    assert listening_in(region.agent_host) == ""
    visitor = Visitor(cookie=await region.enter(cut_off))
    key_id, key = await region.new_key()
    bearer = {"Authorization": f"Bearer {key}"}
    assert [await region.status(edge, token=key) for edge in region.edges] == [200, 200]

    async with (
        talking(region, cut_off, {"Cookie": visitor.cookie}) as (visitors,),
        talking(region, cut_off, bearer) as (known,),
        talking(region, other, bearer) as (watched,),
    ):
        cut_off.host.cut_off_from(region.server_host)
        going_on = asyncio.create_task(visitor.go_on(region, seconds=seconds))
        await visitor.ask(region)

        await region.revoke(key_id)
        revoked_at = time.monotonic()
        await eventually(lambda: _is_refused(region, key), seconds=REVOKED_SECONDS, what="the key is refused")
        refused_seconds = time.monotonic() - revoked_at
        await eventually(_has_ended(watched), seconds=REVOKED_SECONDS, what="what the key opened ends")
        assert watched.ended_at is not None
        ended_seconds = watched.ended_at - revoked_at
        await going_on
        # What it can't know of it does not act on, and nobody is let in whom it does not know.
        assert (visitors.lives, known.lives) == (True, True)
        assert await region.status(cut_off, token="spk_" + key[4:][::-1]) in (401, 503)

        cut_off.host.heal(region.server_host)
        healed_at = time.monotonic()
        await eventually(_has_ended(known), seconds=_BACK_SECONDS + REVOKED_SECONDS, what="it hears what was revoked")
        assert known.ended_at is not None
        heard_seconds = known.ended_at - healed_at
        assert await region.status(cut_off, token=key) == httpx.codes.UNAUTHORIZED
        await region.enter(cut_off)
        assert visitors.lives
    assert visitor.refused == []
    told = (
        f"{len(visitor.seconds)} requests of its visitor, slowest {max(visitor.seconds):.1f} s; revoked elsewhere: "
        f"refused after {refused_seconds:.1f} s, open socket ended after {ended_seconds:.1f} s; "
        f"heard of it {heard_seconds:.1f} s after the end"
    )
    assert max(visitor.seconds) < _SLOWEST_SECONDS, told
    return told


async def an_edge_is_cut_off_for_too_long(region: Region) -> str:
    """Its last grants end, and with them what lives on them; then all is as before."""
    cut_off, other = region.edges
    visitor = Visitor(cookie=await region.enter(cut_off))
    await visitor.ask(region)

    async with talking(region, cut_off, {"Cookie": visitor.cookie}) as (talk,):
        cut_off.host.cut_off_from(region.server_host)
        begun = time.monotonic()
        await visitor.go_on(region, seconds=AWAY_SECONDS - _MARGIN_SECONDS)
        assert (visitor.refused, talk.lives) == ([], True)
        await eventually(_has_ended(talk), seconds=2 * _MARGIN_SECONDS, what="the grant ends")
        assert talk.ended_at is not None
        served_seconds = talk.ended_at - begun
        refused = await region.ask(cut_off, Cookie=visitor.cookie)
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE, refused.text
        assert await region.answers(other)

    cut_off.host.heal(region.server_host)
    begun = time.monotonic()

    async def is_back() -> bool:
        return (await region.ask(cut_off, Cookie=visitor.cookie)).is_success

    await eventually(is_back, seconds=_BACK_SECONDS, what="it serves again")
    return (
        f"served for {served_seconds:.0f} s, {len(visitor.seconds)} requests, slowest {max(visitor.seconds):.1f} s; "
        f"back {time.monotonic() - begun:.1f} s after the end"
    )


async def _is_refused(region: Region, key: str) -> bool:
    return await region.status(region.edges[1], token=key) == httpx.codes.UNAUTHORIZED


def _has_ended(talk: Talk) -> Callable[[], Awaitable[bool]]:
    async def ended() -> bool:
        return not talk.lives

    return ended
