"""Who may pass now: the server's answers, kept for seconds, and asked for again while connections live on them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from spunto.core.routes.asking import Access, Allowed, Authorize, By, Verdict, Verdicts
from spunto.entrypoints.edge.server_link import ServerAway, ServerLink

LINK_NOT_GOOD: Final = "link_not_good"
FRESH_SECONDS: Final = 3.0
"""How long an answer is taken for true; what lives on it notices a revocation within two seconds more."""
AWAY_SECONDS: Final = 600.0
"""How long what was last granted holds while the server is away."""
PATIENCE_SECONDS: Final = 2.0
"""How long who was let in before waits for a server of which nothing is heard. Until then no revocation is missed."""
_LOOK_SECONDS: Final = 0.5
_RENEWED_SECONDS: Final = FRESH_SECONDS - 2 * _LOOK_SECONDS
"""What is in use is asked for again before its answer is old, so that no request waits for that."""
_IN_USE_SECONDS: Final = 2.5
_MAX_KEPT: Final = 50_000
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """What is asked: whether the bearer may use the port, as its route stands in this generation."""

    subject_id: str
    port: int
    generation: int
    by: By

    @property
    def question(self) -> Access:
        return Access(subject_id=self.subject_id, port=self.port, by=self.by)


@dataclass(slots=True, kw_only=True)
class Grant:
    """The server's answer to a claim, as it stands now; `status` and `code` say why not."""

    allowed: bool = False
    may_wake: bool = False
    status: int = 403
    code: str = "forbidden"
    asked_at: float = 0.0
    used_at: float = 0.0


def require(grant: Grant) -> None:
    """Raises Unauthenticated, Forbidden and NotFound for one that lets nobody in."""
    if grant.allowed:
        return
    if grant.code == LINK_NOT_GOOD:
        raise link_ended()
    if grant.status == HTTPStatus.UNAUTHORIZED:
        raise Unauthenticated(grant.code, "The sign-in has ended or the token is not good; sign in again.")
    if grant.status == HTTPStatus.NOT_FOUND:
        raise NotFound("host_unknown", "No worker has this address, or it is not shared with you.")
    if grant.code == "missing_scope":
        raise Forbidden(grant.code, "The key lacks the scope `workers:exec`.")
    raise Forbidden(grant.code, "This port is not shared with you; ask its owner to share it.")


def link_ended() -> Forbidden:
    return Forbidden(
        LINK_NOT_GOOD,
        "The link that you came by has ended, or was taken back. Ask whoever gave it to you for a new one. "
        "If you have an account here, sign in.",
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Question:
    """`is_late` is done once the server has taken too long for those who were let in before."""

    answer: asyncio.Future[Grant]
    is_late: asyncio.Future[None]


class Grants:
    """`run` is one of the edge's loops: it asks again for what is in use."""

    def __init__(self, link: ServerLink, *, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._known: dict[Claim, Grant] = {}
        self._asking: dict[Claim, _Question] = {}

    async def find_all(self, claims: Sequence[Claim]) -> Sequence[Grant]:
        """One for each in its place, by one question. Raises ServerAway as `find` does."""
        now = self._clock.monotonic()
        unknown = [each for each in claims if not self._is_fresh(each, now) and each not in self._asking]
        if unknown:
            self._begin_asking(unknown)
        return [await self.find(each) for each in claims]

    async def find(self, claim: Claim) -> Grant:
        """Raises ServerAway where nothing is known that still holds."""
        known, now = self._known.get(claim), self._clock.monotonic()
        if known is not None and now - known.asked_at < FRESH_SECONDS:
            known.used_at = now
            return known
        question = self._asking.get(claim) or self._begin_asking([claim])[0]
        if known is not None and known.allowed and not self._is_past(known):
            either: set[asyncio.Future[Any]] = {question.answer, question.is_late}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not question.answer.done():
                known.used_at = now
                return known
        return await asyncio.shield(question.answer)

    def holds(self, grant: Grant) -> bool:
        """Whether it is still granted; whoever lives on it asks this each second."""
        grant.used_at = self._clock.monotonic()
        return grant.allowed

    async def run(self) -> None:
        """Ask again for what connections live on, until cancelled."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            now = self._clock.monotonic()
            self._drop_old(now)
            due = [
                claim
                for claim, grant in self._known.items()
                if grant.allowed and now - grant.used_at < _IN_USE_SECONDS and now - grant.asked_at >= _RENEWED_SECONDS
            ]
            for begin in range(0, len(due), _AT_ONCE):
                await self._ask_again(due[begin : begin + _AT_ONCE])

    async def _ask_again(self, claims: list[Claim]) -> None:
        try:
            verdicts = await self._ask(claims)
        except Unavailable:
            for claim in claims:
                if (grant := self._known.get(claim)) is not None and self._is_past(grant):
                    grant.allowed = False
            return
        for claim, verdict in zip(claims, verdicts, strict=True):
            self._take(claim, verdict)

    def _begin_asking(self, claims: Sequence[Claim]) -> Sequence[_Question]:
        verdicts = asyncio.ensure_future(self._ask(claims))
        return [self._begin_awaiting(each, place, verdicts) for place, each in enumerate(claims)]

    def _begin_awaiting(self, claim: Claim, place: int, verdicts: "asyncio.Future[tuple[Verdict, ...]]") -> _Question:
        is_late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        question = _Question(answer=asyncio.ensure_future(self._answer(claim, place, verdicts)), is_late=is_late)
        timer = self._clock.call_later(PATIENCE_SECONDS, lambda: is_late.set_result(None))

        def answered(answer: asyncio.Future[Grant]) -> None:
            timer.cancel()
            self._asking.pop(claim, None)
            # Whoever asked may have been let in without it.
            answer.cancelled() or answer.exception()

        question.answer.add_done_callback(answered)
        self._asking[claim] = question
        return question

    async def _answer(self, claim: Claim, place: int, verdicts: "asyncio.Future[tuple[Verdict, ...]]") -> Grant:
        try:
            verdict = (await asyncio.shield(verdicts))[place]
        except Unavailable:
            # Whether it can't be reached, or lacks its database: what was granted holds for a while.
            known = self._known.get(claim)
            if known is None or not known.allowed or self._is_past(known):
                raise
            return known
        grant = self._take(claim, verdict)
        grant.used_at = grant.asked_at
        return grant

    async def _ask(self, claims: Sequence[Claim]) -> tuple[Verdict, ...]:
        question = Authorize(items=tuple(claim.question for claim in claims))
        items = (await self._link.ask(question, Verdicts)).items
        if len(items) != len(claims):
            raise ServerAway
        return items

    def _take(self, claim: Claim, verdict: Verdict) -> Grant:
        """Keep the answer in the grant that connections hold, so that they notice what has become of it."""
        grant = self._known.get(claim)
        if grant is None:
            grant = self._known[claim] = Grant()
        grant.asked_at = self._clock.monotonic()
        if isinstance(verdict, Allowed):
            grant.allowed, grant.may_wake = True, verdict.may_wake
        else:
            grant.allowed, grant.status, grant.code = False, verdict.status, verdict.code
        return grant

    def _is_fresh(self, claim: Claim, now: float) -> bool:
        known = self._known.get(claim)
        return known is not None and now - known.asked_at < FRESH_SECONDS

    def _is_past(self, grant: Grant) -> bool:
        return self._clock.monotonic() - grant.asked_at > AWAY_SECONDS

    def _drop_old(self, now: float) -> None:
        """What was allowed is kept for as long as it may be of use while the server is away; past the bound those go
        that were asked first."""
        old = [
            claim
            for claim, grant in self._known.items()
            if now - grant.asked_at > (AWAY_SECONDS if grant.allowed else FRESH_SECONDS)
        ]
        surplus = len(self._known) - len(old) - _MAX_KEPT
        if surplus > 0:
            left = self._known.keys() - set(old)
            old.extend(sorted(left, key=lambda claim: self._known[claim].asked_at)[:surplus])
        for claim in old:
            # Connections that live on it notice, for nobody asks about it again.
            self._known.pop(claim).allowed = False
