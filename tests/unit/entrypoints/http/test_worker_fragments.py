"""Workers that were written as JSON before are written again as soon as anything else is to be shown."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.unit.core.builders import a_worker

from spunto.core.workers.model import DockerState
from spunto.core.workers.views import WorkerView
from spunto.entrypoints.http.worker_answers import WorkerFragments

VIEW = WorkerView(worker=a_worker(name="first"), docker_state=DockerState.RUNNING, outdated=False, shows_output=True)


def shown(fragments: WorkerFragments, view: WorkerView) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(orjson.dumps(fragments.of(view)))
    return body


def test_a_worker_that_is_the_same_is_written_once() -> None:
    fragments = WorkerFragments()

    assert fragments.of(VIEW) is fragments.of(VIEW._replace(worker=replace(VIEW.worker)))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        # As of a database that was restored: the version came again, with another name.
        (VIEW._replace(worker=replace(VIEW.worker, name="second")), "name"),
        (VIEW._replace(docker_state=DockerState.EXITED), "dockerState"),
        (VIEW._replace(outdated=True), "outdated"),
    ],
)
def test_whatever_is_shown_otherwise_is_written_again(changed: WorkerView, field: str) -> None:
    fragments = WorkerFragments()
    before = shown(fragments, VIEW)

    after = shown(fragments, changed)

    assert {name for name in after if after[name] != before[name]} == {field}
