"""Whether anybody ever sees or does what is not theirs, in a hundred thousand requests in any order."""

import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.audit.figures import Figure, Section
from tests.unit.authorization.machine import run_requests

REQUESTS: Final = 100_000


def audit_society(_: Path) -> Section:
    began = time.monotonic()
    answered, complaints = Counter[int](), list[str]()
    try:
        answered = run_requests(REQUESTS)
    except AssertionError as error:
        complaints.append(str(error))
    seconds = time.monotonic() - began
    return Section(
        title="Organizations, roles and keys in any order",
        figures=[
            Figure(name="requests without a foreign mark", value=answered.total(), at_least=REQUESTS),
            Figure(name="let through", value=sum(count for status, count in answered.items() if status < 300)),
            Figure(name="refused", value=sum(answered[status] for status in (401, 403, 404))),
            Figure(name="requests a second", value=answered.total() / seconds),
        ],
        complaints=complaints,
    )
