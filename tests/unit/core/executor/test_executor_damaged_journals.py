"""Journals that somebody edited, or that bits fell out of: nothing of them stops a node."""

from typing import Any

import orjson
import pytest

from spunto.core.executor.journal import Entry, body_of, entry_of
from spunto.core.executor.ledger import ledger_from_json, ledger_to_json
from spunto.core.protocol.codec import desired_item
from spunto.testing.contracts.node_journal import FULL, an_entry

SOUND = orjson.loads(body_of(an_entry(1, **FULL)))
JUNK = [None, 5, -1, 2**60, 1.5, "x", "", [], {}, "../../x", "x" * 300, [5], {"x": 5}]


@pytest.mark.parametrize("place", [*SOUND, *(f"ledger.{name}" for name in SOUND["ledger"])])
def test_of_whatever_stands_in_an_entry_nothing_comes_that_the_node_could_not_go_on_with(place: str) -> None:
    for junk in JUNK:
        body = orjson.loads(orjson.dumps(SOUND))
        outer, _, inner = place.partition(".")
        if inner:
            body[outer][inner] = junk
        else:
            body[outer] = junk

        entry = entry_of(orjson.dumps(body))

        if entry is None:
            continue
        assert desired_item(body_fields(entry)) == entry.desired
        assert ledger_from_json(ledger_to_json(entry.ledger)) == entry.ledger
        assert body_of(entry)


def body_fields(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in orjson.loads(body_of(entry)).items() if name != "ledger"}
