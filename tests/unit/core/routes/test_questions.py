"""What an edge asks over its connection, and is answered."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import orjson
import pytest
from tests.unit.core.builders import ORG, OTHER_USER, USER, WORKER
from tests.unit.core.memory import Memory
from tests.unit.core.routes.edge_door import ADDRESSES, ConnectedEdge, EdgeDoor

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.messages import Phase
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.routes.asking import (
    Access,
    Active,
    Activity,
    Allowed,
    Authorize,
    ByPass,
    Dial,
    Done,
    Redeem,
    Source,
    Verdicts,
    Wake,
    Woken,
)
from spunto.core.routes.desired import RouteState
from spunto.core.routes.doorman import Doorman
from spunto.core.routes.fields import MAX_BYTES, Said, read, write
from spunto.core.routes.questions import Questions
from spunto.core.workers.model import Worker, WorkerId, WorkerState
from spunto.core.workers.uses import WorkerUses
from spunto.testing.settling import settle

S = TypeVar("S", bound=Said)
NODE = "nod_1"


class Nodes:
    """Nodes whose agents take the order, or refuse it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.refusal: Exception | None = None

    async def open(self, node_id: NodeId, kind: str, params: dict[str, Any]) -> Stream:
        self.asked.append((node_id, kind, params))
        return _Taken(self.refusal)  # type: ignore[return-value]  # all that is asked of a stream


class _Taken:
    def __init__(self, refusal: Exception | None) -> None:
        self._refusal = refusal

    async def write_eof(self) -> None:
        pass

    async def next(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    async def __aenter__(self) -> "_Taken":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Site:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.nodes = Nodes()
        self.edge: ConnectedEdge
        self.door = EdgeDoor(memory)

        async def start(actor: Actor, org_id: OrgId, subject_id: str) -> None:
            await memory.workers.start(actor, org_id, None, WorkerId(subject_id))

        doorman = Doorman(
            memory.racing,
            recognise=memory.access.authenticate,
            auditor=memory.auditor,
            clock=memory.clock,
            base_domain=ADDRESSES.addresses.base_domain,
        )
        uses = WorkerUses(memory.racing, clock=memory.clock)
        questions = Questions(memory.racing, doorman=doorman, nodes=self.nodes, start=start, note_use=uses.note)
        self.door.answer = questions.handle  # type: ignore[method-assign]  # what it asks
        self.door.gateway = self.door.another_server()

    async def open(self) -> None:
        _, token = await self.door.registry.create("front")
        self.edge = await self.door.connect(token)

    async def ask(self, question: Any, wanted: type[S]) -> S:
        return read(wanted, await self.say(question.name, write(question)))

    async def say(self, kind: str, raw: bytes) -> bytes:
        answer = bytearray()
        async with self.edge.connection.open(kind, {}) as stream:
            await stream.write(raw)
            await stream.write_eof()
            while (piece := await stream.read()) is not None:
                answer += piece
        return bytes(answer)

    async def worker(self) -> Worker:
        await self.memory.add_node()
        project = await self.memory.add_project()
        return (await self.memory.workers.spawn(self.memory.owner, ORG, project.id)).worker

    async def signed_in(self) -> ByPass:
        return ByPass(pass_id=(await self.memory.access.open_session(USER)).session.id)


@pytest.fixture
async def site(memory: Memory) -> AsyncIterator[Site]:
    site = Site(memory)
    await site.open()
    yield site
    await site.door.close()


async def test_it_is_told_who_may_pass(site: Site) -> None:
    worker, by = await site.worker(), await site.signed_in()

    answer = await site.ask(Authorize(items=(Access(subject_id=worker.id, port=3000, by=by),)), Verdicts)

    assert answer.items == (Allowed(by=by.pass_id, user_id=USER, may_wake=True),)


async def test_a_code_that_is_not_good_is_a_reset(site: Site) -> None:
    with pytest.raises(StreamReset) as caught:
        await site.say("redeem", write(Redeem(host="x", code=Secret("a"), nonce=Secret("b"))))

    assert caught.value.code == "code_not_good"


async def test_a_stopped_worker_is_woken_however_often(site: Site) -> None:
    worker, by = await site.worker(), await site.signed_in()
    await site.memory.reported(worker.id)
    await site.memory.workers.stop(site.memory.owner, ORG, None, worker.id)
    await site.memory.reported(worker.id, phase=Phase.STOPPED, container_state="exited")

    answers = [await site.ask(Wake(subject_id=worker.id, by=by), Woken) for _ in range(2)]

    assert answers == [Woken(state=RouteState.COMING)] * 2
    woken = await site.memory.worker(worker.id)
    assert woken is not None
    assert woken.state is WorkerState.STARTING
    assert (await site.memory.audit())["worker.start"] == 1


async def test_what_is_on_its_way_down_is_asked_for_again(site: Site) -> None:
    worker, by = await site.worker(), await site.signed_in()
    await site.memory.reported(worker.id)
    await site.memory.workers.stop(site.memory.owner, ORG, None, worker.id)

    assert await site.ask(Wake(subject_id=worker.id, by=by), Woken) == Woken(state=RouteState.DOWN)


async def test_what_runs_is_left_alone(site: Site) -> None:
    worker, by = await site.worker(), await site.signed_in()
    await site.memory.reported(worker.id)

    assert await site.ask(Wake(subject_id=worker.id, by=by), Woken) == Woken(state=RouteState.UP)


async def test_why_it_can_t_be_woken_is_told(site: Site) -> None:
    worker = await site.worker()
    stranger = (await site.memory.access.open_session(OTHER_USER)).session.id

    for by, code in ((ByPass(pass_id=stranger), "may_not_wake"), (ByPass(pass_id="ses_x"), "credential_not_good")):
        with pytest.raises(StreamReset) as caught:
            await site.ask(Wake(subject_id=worker.id, by=by), Woken)
        assert caught.value.code == code


async def test_use_is_kept_with_its_source(site: Site) -> None:
    worker = await site.worker()
    used = Active(
        items=(
            Activity(subject_id=worker.id, source=Source.WEBSOCKET),
            Activity(subject_id=WORKER, source=Source.HTTP),
        )
    )
    assert await site.ask(used, Done) == Done()
    for _ in range(6):
        site.memory.clock.advance(5)
        await settle()

    await site.ask(used, Done)

    kept = await site.memory.worker(worker.id)
    assert kept is not None
    assert (kept.last_activity.value, kept.last_activity_at) == ("websocket", site.memory.clock.now())


async def test_a_node_is_told_to_dial(site: Site) -> None:
    answer = await site.ask(Dial(node_id=NODE, ticket=Secret("t"), url="wss://edge"), Done)

    assert answer == Done()
    assert site.nodes.asked == [(NODE, "dial", {"url": "wss://edge", "ticket": "t"})]


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (StreamReset("unknown_stream_kind", "Old."), "dial_refused"),
        (StreamReset("stream_refused", "No."), "dial_refused"),
        (StreamReset("dial_refused", "Not that host."), "dial_refused"),
        (StreamReset("subject_unknown", "What?"), "subject_unknown"),
        (ConnectionLost(), "node_offline"),
    ],
)
async def test_why_a_node_does_not_dial_is_told(site: Site, refusal: Exception, code: str) -> None:
    site.nodes.refusal = refusal

    with pytest.raises(StreamReset) as caught:
        await site.ask(Dial(node_id=NODE, ticket=Secret("t"), url="wss://edge"), Done)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("kind", "raw", "code"),
    [
        ("nonsense", b"{}", "unknown_question"),
        ("wake", b"", "bad_question"),
        ("wake", b"[]", "bad_question"),
        ("wake", b"{}", "bad_question"),
        ("authorize", orjson.dumps({"items": [{}]}), "bad_question"),
        ("active", orjson.dumps({"items": [{"subjectId": "x", "source": "looking"}]}), "bad_question"),
        ("active", b" " * (MAX_BYTES + 1), "bad_question"),
    ],
)
async def test_what_is_no_question_is_a_reset(site: Site, kind: str, raw: bytes, code: str) -> None:
    with pytest.raises(StreamReset) as caught:
        await site.say(kind, raw)

    assert caught.value.code == code
    assert site.edge.connection.closed is None
