"""Whatever happened before, a node that is left alone comes to what is wanted; against a simple simulated engine."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.executor.node_values import IMAGE, a_container, an_item
from tests.unit.core.executor.worker_steps import KIND, a_ledger, report

from spunto.core.executor import actions
from spunto.core.executor.actions import Action, Outcome, WaitUntil
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Now
from spunto.core.executor.ledger import Ledger, ledger_from_json, ledger_to_json
from spunto.core.executor.plan import next_step
from spunto.core.executor.runtime import Container, ContainerGone, ContainerState, EngineUnavailable, ImageNotFound
from spunto.core.executor.seen import NOTHING, Seen
from spunto.core.executor.trouble import CALM, Trouble, after_error
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAX_STEPS = 12


@dataclass(slots=True, kw_only=True)
class Engine:
    """At most one container, for it goes by its name."""

    container: Container | None = None
    has_network: bool = False
    has_volume: bool = False
    has_image: bool = True
    published: bool = True
    starts: int = 0

    def perform(self, action: Action) -> None:
        match action:
            case actions.Pull():
                self._require_image(self.published)
                self.has_image = True
            case actions.EnsureNetwork():
                self.has_network = True
            case actions.Create(spec=spec):
                self._require_image(self.has_image)
                self.has_volume = True
                made = int(spec.labels["spunto.generation"])
                self.container = self.container or a_container(ContainerState.CREATED, made_in=made)
            case actions.Start():
                self._put(ContainerState.RUNNING)
                self.starts += 1
            case actions.Stop():
                self._put(ContainerState.EXITED)
            case actions.Remove():
                self.container = None
            case actions.RemoveNetwork():
                self.has_network = False
            case actions.RemoveVolume():
                self.has_volume = False

    def _require_image(self, is_there: bool) -> None:
        if not is_there:
            raise ImageNotFound(IMAGE, "manifest unknown")

    def _put(self, state: ContainerState) -> None:
        if self.container is None:
            raise ContainerGone("it")
        self.container = replace(self.container, state=state)


@dataclass(slots=True, kw_only=True)
class Node:
    """One subject as the driver keeps it, in a world without time."""

    engine: Engine
    item: Item[Any]
    ledger: Ledger = field(default_factory=Ledger)
    seen: Seen = NOTHING
    trouble: Trouble = CALM

    def want(self, item: Item[Any]) -> None:
        if item.outranks(self.item):
            self.item, self.trouble = item, CALM

    def crash(self, *, with_journal: bool) -> None:
        kept = KIND.interrupted(ledger_from_json(ledger_to_json(self.ledger)))
        self.ledger, self.trouble = (kept if with_journal else Ledger()), CALM
        self.seen = NOTHING

    def look(self) -> None:
        """Every container that is there is seen; a network only as long as it was just made."""
        container = self.engine.container
        containers = {} if container is None else {container.name: container}
        self.seen = Seen(containers=containers, networks=self.seen.networks)

    def step(self, *, fault: Exception | None = None, dies: bool = False) -> bool:
        """Do one thing; whether there was one. It may fail after its effect, or be the last before a crash."""
        self.look()
        self.ledger = KIND.noticed(self.item, self.seen, self.ledger)
        now = Now(at=NOW, monotonic=1e9)
        action = next_step(KIND, self.item, self.seen, self.ledger, trouble=self.trouble, now=now)
        if action is None:
            return False
        assert not isinstance(action, WaitUntil)
        self.ledger = KIND.before(action, self.seen, self.ledger)
        try:
            self.engine.perform(action)
            if fault is not None:
                raise fault
        except Exception as error:  # noqa: BLE001 - as in the driver
            self.ledger, self.trouble = after_error(
                self.item, self.ledger, self.trouble, action=action, error=error, now=0, jitter=0
            )
            self.seen = NOTHING
            return True
        if dies:
            return True
        self.trouble = CALM
        outcome = Outcome(at=NOW, container=self.engine.container, exit_code=0)
        self.seen = self.seen.after(action, outcome)
        self.ledger = KIND.after(action, outcome, self.ledger)
        return True

    def settle(self) -> None:
        for _ in range(MAX_STEPS):
            if not self.step():
                return
        raise AssertionError(f"not settled after {MAX_STEPS} steps: {self}")

    @property
    def phase(self) -> Phase:
        return report(self.item, self.engine.container, self.ledger, trouble=self.trouble).phase


made_ins = st.integers(1, 3)
containers = st.none() | st.builds(
    lambda state, made_in: a_container(state, made_in=made_in), st.sampled_from(ContainerState), made_ins
)
engines = st.builds(
    Engine, container=containers, has_network=st.booleans(), has_volume=st.booleans(), has_image=st.booleans()
)
generations = st.integers(1, 6)
presents = st.builds(
    lambda generation, made_in, power, command: an_item(
        generation, made_in=made_in, power=power, post_create_command=command, post_start_command=command
    ),
    generations,
    made_ins,
    st.sampled_from(Power),
    st.sampled_from([None, "make"]),
)
items = presents | st.builds(lambda generation: an_item(generation, wanted=Wanted.ABSENT), generations)
ledgers = st.builds(
    a_ledger,
    ran_generation=generations,
    failed_generation=generations,
    lacked_image_in=generations,
    pulled_in=generations,
    network_removed=st.booleans(),
    volume_removed=st.booleans(),
)
events = st.one_of(
    st.tuples(st.just("want"), items),
    st.tuples(st.just("step"), st.just(None)),
    st.tuples(st.just("fail"), st.sampled_from([EngineUnavailable("gone"), RuntimeError("bug")])),
    st.tuples(st.just("die"), st.booleans()),
    st.tuples(st.just("by hand"), containers),
)


def live_through(node: Node, story: list[tuple[str, object]]) -> None:
    for event, detail in story:
        if event == "want" and isinstance(detail, Item):
            node.want(detail)
        elif event == "by hand":
            node.engine.container = detail if isinstance(detail, Container) else None
        elif event == "die":
            node.step(dies=True)
            node.crash(with_journal=detail is True)
        else:
            node.step(fault=detail if isinstance(detail, Exception) else None)


@given(engines, presents, ledgers, st.lists(events, max_size=20))
def test_absence_always_ends_with_nothing_left(
    engine: Engine, item: Item[Any], ledger: Ledger, story: list[tuple[str, object]]
) -> None:
    node = Node(engine=engine, item=item, ledger=replace(ledger, removed=frozenset()))
    live_through(node, story)

    node.want(an_item(99, wanted=Wanted.ABSENT))
    node.settle()

    assert (engine.container, engine.has_network, engine.has_volume) == (None, False, False)
    assert node.phase is Phase.ABSENT


@given(engines, presents, ledgers, st.lists(events, max_size=20))
def test_a_newest_generation_always_comes_to_run_once(
    engine: Engine, item: Item[Any], ledger: Ledger, story: list[tuple[str, object]]
) -> None:
    node = Node(engine=engine, item=item, ledger=ledger)
    live_through(node, [each for each in story if not (isinstance(each[1], Item) and each[1].spec is None)])

    node.want(an_item(99, made_in=2))
    starts = engine.starts
    node.settle()
    node.settle()

    assert node.phase is Phase.RUNNING
    assert engine.starts - starts <= 1


@given(engines, presents, ledgers, st.lists(events, max_size=20))
def test_any_story_settles_in_a_phase_that_says_so(
    engine: Engine, item: Item[Any], ledger: Ledger, story: list[tuple[str, object]]
) -> None:
    node = Node(engine=engine, item=item, ledger=ledger)
    live_through(node, story)

    node.settle()

    assert node.phase in {Phase.RUNNING, Phase.STOPPED, Phase.FAILED, Phase.ABSENT}


@given(engines, presents, ledgers, st.lists(st.tuples(st.just("want"), items), max_size=20))
def test_stale_generations_never_win(
    engine: Engine, item: Item[Any], ledger: Ledger, story: list[tuple[str, object]]
) -> None:
    node = Node(engine=engine, item=item, ledger=ledger)
    live_through(node, story)
    newest = node.item
    asked = [item, *(each for _, each in story if isinstance(each, Item))]

    for each in asked:
        node.want(each)

    assert node.item is newest
    assert newest.wanted is Wanted.ABSENT or newest.generation == max(each.generation for each in asked)


def test_an_image_that_exists_nowhere_fails_after_one_pull() -> None:
    node = Node(engine=Engine(has_image=False, published=False), item=an_item(1))

    node.settle()

    assert node.phase is Phase.FAILED
    assert node.ledger.problem is not None
    assert node.ledger.problem.code == "image_not_found"
