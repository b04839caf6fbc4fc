"""Twenty thousand requests of members, strangers, keys and the removed: none sees or does what is not theirs."""

import pytest
from tests.unit.authorization.machine import run_requests

REQUESTS = 20_000


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_order_of_requests_shows_anybody_what_is_foreign() -> None:
    answered = run_requests(REQUESTS)

    assert answered.total() >= REQUESTS
    assert min(answered[200], answered[201], answered[403], answered[404], answered[409]) > 100
