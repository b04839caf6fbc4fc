"""What a node does next, rule by rule."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.executor.node_values import IMAGE, a_container, a_desired_item, an_item
from tests.unit.core.executor.worker_steps import (
    KIND,
    MAKE_NETWORK,
    NAME,
    NETWORK,
    NOW,
    VOLUME,
    a_ledger,
    after,
    before,
    create,
    noticed,
    phase,
    report,
    seen_of,
    set_up,
    setting_up,
    status_of,
    step,
)

from spunto.core.executor.actions import Action, Pull, Remove, RemoveNetwork, RemoveVolume, Run, Start, Stop, WaitUntil
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Now
from spunto.core.executor.kinds.setup import Stage
from spunto.core.executor.ledger import Ledger, ledger_from_json, ledger_to_json
from spunto.core.executor.plan import next_step
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import Container, ContainerState, EngineRefused, EngineUnavailable, ImageNotFound
from spunto.core.executor.trouble import CALM, MAX_SURPRISES, Trouble, after_error
from spunto.core.kernel.errors import Conflict, Forbidden
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import DesiredItem, Phase, Wanted
from spunto.core.specs.worker import Power

RAN = Ledger(ran_generation=1)
CREATED, RUNNING, PAUSED, EXITED = ContainerState
ABSENT = an_item(2, wanted=Wanted.ABSENT)
STOPPED = an_item(2, power=Power.STOPPED)


def run(stage: str, command: str) -> Run:
    return Run(name=NAME, made_in=1, stage=stage, command=command, working_dir="/workspace")


def test_a_worker_s_network_is_made_right_before_its_container() -> None:
    now = Now(at=NOW, monotonic=0.0)

    first = next_step(KIND, an_item(1), seen_of(None, network=False), Ledger(), trouble=CALM, now=now)
    then = next_step(KIND, an_item(1), seen_of(None), Ledger(), trouble=CALM, now=now)

    assert (first, then) == (MAKE_NETWORK, create())


@pytest.mark.parametrize(
    ("container", "ledger", "expected"),
    [
        (None, Ledger(), create()),
        (None, Ledger(lacked_image_in=1), Pull(image=IMAGE)),
        (a_container(CREATED), Ledger(), Start(name=NAME)),
        (a_container(EXITED), Ledger(), Start(name=NAME)),
        (a_container(EXITED), RAN, None),
        (a_container(RUNNING), RAN, None),
        (a_container(RUNNING, made_in=7), RAN, Remove(name=NAME)),
        (None, RAN, None),
        (None, Ledger(failed_generation=1), None),
    ],
)
def test_a_wanted_worker_is_brought_to_run_once_in_a_generation(
    container: Container | None, ledger: Ledger, expected: Action | None
) -> None:
    assert step(an_item(1), container, ledger) == expected


@pytest.mark.parametrize(
    ("container", "expected"),
    [(None, None), (a_container(CREATED), None), (a_container(EXITED), None), (a_container(RUNNING), Stop(name=NAME))],
)
def test_a_worker_to_be_stopped_is_only_ever_stopped(container: Container | None, expected: Action | None) -> None:
    assert step(STOPPED, container, RAN) == expected


@pytest.mark.parametrize(
    ("container", "ledger", "expected"),
    [
        (a_container(RUNNING), Ledger(failed_generation=2), Remove(name=NAME)),
        (None, Ledger(), RemoveNetwork(name=NETWORK)),
        (None, a_ledger(network_removed=True), RemoveVolume(name=VOLUME)),
        (None, a_ledger(network_removed=True, volume_removed=True), None),
    ],
)
def test_absence_takes_container_network_and_volume_in_that_order(
    container: Container | None, ledger: Ledger, expected: Action | None
) -> None:
    assert step(ABSENT, container, ledger) == expected


def test_a_container_that_comes_back_takes_network_and_volume_with_it() -> None:
    ledger = after(Remove(name=NAME), a_ledger(network_removed=True, volume_removed=True))

    assert step(ABSENT, None, ledger) == RemoveNetwork(name=NETWORK)


def test_a_newer_generation_ends_what_the_older_was_given_up_for() -> None:
    assert step(an_item(2), None, Ledger(failed_generation=1)) == create()


@pytest.mark.parametrize(
    ("newer", "known", "outranks"),
    [
        (an_item(2), an_item(1), True),
        (an_item(1), an_item(1), False),
        (an_item(1), an_item(2), False),
        (an_item(1, wanted=Wanted.ABSENT), an_item(1), True),
        (an_item(1, wanted=Wanted.ABSENT), an_item(2), False),
        (an_item(9), ABSENT, False),
        (an_item(9, wanted=Wanted.ABSENT), ABSENT, True),
    ],
)
def test_an_older_generation_never_wins_and_absence_is_sticky(
    newer: Item[Any], known: Item[Any], outranks: bool
) -> None:
    assert newer.outranks(known) is outranks


def test_a_missing_image_is_pulled_once_in_a_generation() -> None:
    error, making = ImageNotFound(IMAGE, "no such image"), create()

    lacking, _ = after_error(an_item(1), Ledger(), CALM, action=making, error=error, now=0, jitter=0)
    pulled = after(Pull(image=IMAGE), lacking)
    given_up, _ = after_error(an_item(1), pulled, CALM, action=making, error=error, now=0, jitter=0)

    assert step(an_item(1), None, lacking) == Pull(image=IMAGE)
    assert step(an_item(1), None, pulled) == making
    assert given_up.failed_generation == 1


@pytest.mark.parametrize(
    "error",
    [
        EngineRefused("no space left on device"),
        ImageNotFound(IMAGE, "manifest unknown"),
        Conflict("container_name_taken", "taken"),
        Forbidden("node_policy", "not here"),
    ],
)
def test_what_the_engine_or_the_owner_refuses_fails_at_once_in_their_own_words(
    error: EngineRefused | ImageNotFound | Conflict | Forbidden,
) -> None:
    ledger, trouble = after_error(an_item(1), Ledger(), CALM, action=Pull(image=IMAGE), error=error, now=0, jitter=0)
    failed, fault = phase(an_item(1), None, ledger)

    assert (failed, trouble) == (Phase.FAILED, CALM)
    assert fault is not None
    assert fault.code == error.code
    assert error.message in fault.message


def test_a_container_that_never_ran_and_is_refused_a_start_is_made_anew_once() -> None:
    error = EngineRefused("task already exists")
    refused = a_container(CREATED)
    again = replace(refused, container_id="c2")

    def after_refusal(ledger: Ledger, container: Container) -> Ledger:
        known, start = (an_item(1), ledger, CALM), Start(name=NAME)
        return after_error(*known, action=start, error=error, now=0, jitter=0, seen=seen_of(container))[0]

    remaking = after_refusal(Ledger(), refused)
    given_up = after_refusal(remaking, again)

    assert step(an_item(1), refused, remaking) == Remove(name=NAME)
    assert step(an_item(1), None, remaking) == create()
    assert step(an_item(1), again, remaking) == Start(name=NAME)
    assert given_up.failed_generation == 1


def test_a_container_that_ran_is_kept_when_it_is_refused_a_start() -> None:
    known, error = (an_item(1), Ledger(), CALM), EngineRefused("task already exists")

    ledger, _ = after_error(
        *known, action=Start(name=NAME), error=error, now=0, jitter=0, seen=seen_of(a_container(EXITED))
    )

    assert ledger.failed_generation == 1


def test_an_engine_that_is_away_is_waited_for_without_end() -> None:
    ledger, trouble = Ledger(), CALM
    for _ in range(100):
        ledger, trouble = after_error(
            an_item(1), ledger, trouble, action=Start(name=NAME), error=EngineUnavailable("gone"), now=0, jitter=1
        )

    waiting = step(an_item(1), None, ledger, trouble=trouble)

    assert ledger == Ledger()
    assert waiting == WaitUntil(at=15.0)


def test_the_unexpected_is_tried_five_times() -> None:
    ledger, trouble = Ledger(), CALM
    tries = 0
    while ledger.failed_generation == 0:
        tries += 1
        ledger, trouble = after_error(
            an_item(1), ledger, trouble, action=Start(name=NAME), error=ValueError("bug"), now=0, jitter=0
        )

    assert tries == MAX_SURPRISES
    assert ledger.problem == Problem(code="node_error", message="The node failed with ValueError: bug")


def test_removal_is_never_given_up_but_backs_off() -> None:
    ledger, trouble = Ledger(), CALM
    for _ in range(2 * MAX_SURPRISES):
        ledger, trouble = after_error(
            ABSENT, ledger, trouble, action=Remove(name=NAME), error=EngineRefused("busy"), now=0, jitter=0
        )

    assert step(ABSENT, a_container(), ledger, trouble=trouble) == WaitUntil(at=7.5)
    assert step(ABSENT, a_container(), ledger, trouble=trouble, now=99) == Remove(name=NAME)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (a_container(RUNNING), (Phase.RUNNING, None)),
        (a_container(EXITED, exit_code=3), (Phase.STOPPED, None)),
        (a_container(EXITED, oom_killed=True), (Phase.STOPPED, "out_of_memory")),
        (None, (Phase.FAILED, "container_lost")),
    ],
)
def test_what_became_of_a_worker_that_ran_is_told(
    container: Container | None, expected: tuple[Phase, str | None]
) -> None:
    told, fault = phase(an_item(1), container, RAN)

    assert (told, None if fault is None else fault.code) == expected


@pytest.mark.parametrize(
    ("item", "container", "ledger", "expected"),
    [
        (an_item(1), None, Ledger(), Phase.CREATING),
        (an_item(1), None, Ledger(lacked_image_in=1), Phase.PULLING),
        (an_item(1), a_container(CREATED), Ledger(), Phase.STARTING),
        (STOPPED, a_container(RUNNING), RAN, Phase.STOPPING),
        (STOPPED, None, RAN, Phase.STOPPED),
        (ABSENT, a_container(EXITED), RAN, Phase.REMOVING),
        (ABSENT, None, a_ledger(network_removed=True), Phase.REMOVING),
        (ABSENT, None, a_ledger(network_removed=True, volume_removed=True), Phase.ABSENT),
    ],
)
def test_the_way_there_is_told(item: Item[Any], container: Container | None, ledger: Ledger, expected: Phase) -> None:
    assert phase(item, container, ledger) == (expected, None)


def test_what_is_retried_is_told_with_its_reason() -> None:
    trouble = Trouble(attempts=1, problem=Problem(code="engine_unavailable", message="gone"))

    observed = report(an_item(1), trouble=trouble)

    assert (observed.phase, observed.problem) == (Phase.CREATING, Problem(code="engine_unavailable", message="gone"))


@pytest.mark.parametrize(
    "item",
    [
        DesiredItem(kind=a_desired_item().kind, id="wkr_1", generation=1, wanted=Wanted.PRESENT, spec={}),
        DesiredItem(kind=a_desired_item().kind, id=an_item().id, generation=1, wanted=Wanted.PRESENT, spec={"env": 1}),
        DesiredItem(kind=a_desired_item().kind, id=an_item().id, generation=1, wanted=Wanted.PRESENT),
    ],
)
def test_what_the_agent_can_not_read_is_refused_with_a_way_out_and_left_alone(item: DesiredItem) -> None:
    failed, fault = phase(Reading().item(item))

    assert (failed, step(Reading().item(item))) == (Phase.REFUSED, None)
    assert fault is not None
    assert fault.code == "spec_unknown"


@pytest.mark.parametrize(
    ("action", "item", "obsolete"),
    [
        (Pull(image=IMAGE), an_item(2), False),
        (Pull(image=IMAGE), an_item(2, image="other:1"), True),
        (Pull(image=IMAGE), STOPPED, True),
        (Pull(image=IMAGE), ABSENT, True),
        (run("postCreate", "x"), STOPPED, True),
        (run("postCreate", "x"), an_item(2), False),
        (run("postCreate", "x"), an_item(2, made_in=2, keeps=1), True),
        (Stop(name=NAME), ABSENT, True),
        (create(), ABSENT, False),
    ],
)
def test_only_long_work_is_broken_off_for_what_is_wanted_now(action: Action, item: Item[Any], obsolete: bool) -> None:
    assert KIND.obsolete(action, item) is obsolete


def started(ledger: Ledger, item: Item[Any], container: Container) -> Ledger:
    """The ledger after a start of the container as it was."""
    ledger = before(Start(name=NAME), container, ledger)
    return noticed(item, a_container(RUNNING), ledger)


def test_a_first_start_owes_both_commands_in_order_and_a_later_one_the_second() -> None:
    item = an_item(1, post_create_command="make", post_start_command="serve")
    create, start = (
        run("postCreate", "make"),
        run("postStart", "serve"),
    )

    ledger = started(Ledger(), item, a_container(CREATED))
    first = step(item, a_container(), ledger)
    ledger = set_up(setting_up(ledger, Stage.POST_CREATE), exit_code=0, output=b"made", seconds=1)
    second = step(item, a_container(), ledger)
    ledger = set_up(setting_up(ledger, Stage.POST_START), exit_code=0, output=b"", seconds=1)
    done = step(item, a_container(), ledger)
    again = an_item(3, post_create_command="make", post_start_command="serve")
    third = step(again, a_container(), started(ledger, again, a_container(EXITED)))

    assert (first, second, done, third) == (create, start, None, start)


def test_a_failed_command_is_told_and_the_worker_runs() -> None:
    item = an_item(1, post_create_command="make")
    ledger = started(Ledger(), item, a_container(CREATED))

    ledger = set_up(setting_up(ledger, Stage.POST_CREATE), exit_code=2, output=b"x" * 5000 + b"end", seconds=1.5)

    assert phase(item, a_container(), ledger) == (Phase.RUNNING, None)
    assert status_of(ledger)["phase"] == "error"
    assert status_of(ledger)["postCreate"]["exitCode"] == 2
    assert status_of(ledger)["postCreate"]["outputTail"].endswith("end")
    assert len(status_of(ledger)["postCreate"]["outputTail"]) == 4096
    assert status_of(ledger)["timings"] == {"postCreateSeconds": 1.5}


def test_a_setup_cut_off_by_a_crash_is_named_and_not_repeated_even_by_a_later_start() -> None:
    item = an_item(1, post_create_command="make")
    ledger = setting_up(started(Ledger(), item, a_container(CREATED)), Stage.POST_CREATE)

    recovered = KIND.interrupted(ledger_from_json(ledger_to_json(ledger)))
    restarted = started(recovered, an_item(3, post_create_command="make"), a_container(EXITED))

    assert step(item, a_container(), recovered) is None
    assert step(an_item(3, post_create_command="make"), a_container(), restarted) is None
    assert status_of(restarted)["phase"] == "error"
    assert "interrupted" in status_of(restarted)["error"]


def test_a_start_that_was_written_down_but_not_seen_still_owes_its_setup() -> None:
    item = an_item(1, post_create_command="make")

    written = ledger_from_json(ledger_to_json(before(Start(name=NAME), a_container(CREATED), Ledger())))
    ledger = noticed(item, a_container(RUNNING), written)

    assert step(item, a_container(), ledger) == run("postCreate", "make")


def test_a_running_container_that_is_adopted_without_a_journal_is_not_set_up_again() -> None:
    item = an_item(1, post_create_command="make")

    ledger = noticed(item, a_container(RUNNING), Ledger())

    assert ledger == Ledger(ran_generation=1)
    assert step(item, a_container(), ledger) is None


def test_a_worker_without_commands_is_ready_when_it_runs() -> None:
    ledger = started(Ledger(), an_item(1), a_container(CREATED))

    assert (status_of(ledger)["phase"], status_of(ledger)["error"]) == ("ready", None)
