"""A live server answers what its OpenAPI document says; `make audit` asks it ten thousand times."""

from pathlib import Path

import pytest
from tests.audit.conformance import ask_everything
from tests.fixtures.live import live_server

CASES = 600


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_live_server_answers_as_its_document_says(tmp_path: Path) -> None:
    with live_server(tmp_path, oidc_client_id="spunto") as live:
        tally = ask_everything(live, cases=CASES, with_random_ids=False)

    assert tally.wrong == {}
    assert tally.server_errors == 0
    assert tally.cases >= CASES
    assert tally.refused > 0
