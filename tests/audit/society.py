"""Whether anybody ever sees or does what is not theirs, in a hundred thousand requests in any order."""

import time
from pathlib import Path
from typing import Final

from tests.audit.figures import Figure, Section
from tests.unit.authorization.machine import run_requests

REQUESTS: Final = 100_000


def audit_society(_: Path) -> Section:
    began = time.monotonic()
    try:
        answered = run_requests(REQUESTS)
        complaints = []
    except AssertionError as error:
        answered, complaints = {}, [str(error)]
    seconds = time.monotonic() - began
    total = sum(answered.values())
    return Section(
        title="Organizations, roles and keys in any order",
        figures=[
            Figure(name="requests without a foreign mark", value=total, at_least=REQUESTS),
            Figure(name="let through", value=sum(count for status, count in answered.items() if status < 300)),
            Figure(name="refused", value=sum(answered.get(status, 0) for status in (401, 403, 404))),
            Figure(name="requests a second", value=total / seconds),
        ],
        complaints=complaints,
    )
