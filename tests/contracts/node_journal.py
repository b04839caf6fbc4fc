"""What every journal of a node guarantees."""

from collections.abc import Callable
from typing import Any

import pytest

from spunto.core.executor.journal import Entry, Journal
from spunto.core.executor.kinds.setup import Stage
from spunto.core.executor.ledger import Ledger
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import AssignmentKind, DesiredItem, Wanted

OpenJournal = Callable[[], Journal]
"""Opens the same journal again, as a new process would."""


def an_entry(number: int = 1, *, generation: int = 1, **ledger: Any) -> Entry:
    desired = DesiredItem(
        kind=AssignmentKind.WORKER,
        id=f"wkr_{number:026}",
        generation=generation,
        wanted=Wanted.PRESENT,
        spec={"image": "x:1", "env": {"NAME": "välue"}},
    )
    return Entry(desired=desired, ledger=Ledger(**ledger))


FULL: dict[str, Any] = {
    "ran_generation": 2,
    "failed_generation": 3,
    "problem": Problem(code="engine_refused", message="no"),
    "lacked_image_in": 4,
    "pulled_in": 5,
    "setup_due": (Stage.POST_CREATE, Stage.POST_START),
    "setup_running": Stage.POST_START,
    "setup": {"phase": "ready", "timings": {"startSeconds": 0.25}},
    "network_removed": True,
    "volume_removed": True,
}


class JournalContract:
    @pytest.fixture
    def open_journal(self) -> OpenJournal:
        raise NotImplementedError

    def test_a_new_journal_is_empty(self, open_journal: OpenJournal) -> None:
        assert open_journal().load() == []

    def test_what_was_saved_is_there_for_the_next_process(self, open_journal: OpenJournal) -> None:
        entries = [an_entry(1, **FULL), an_entry(2)]

        open_journal().save(entries)

        assert open_journal().load() == entries

    def test_an_absent_subject_needs_no_spec(self, open_journal: OpenJournal) -> None:
        gone = DesiredItem(kind=AssignmentKind.WORKER, id="wkr_1", generation=2**53 - 1, wanted=Wanted.ABSENT)

        open_journal().save([Entry(desired=gone, ledger=Ledger())])

        assert open_journal().load() == [Entry(desired=gone, ledger=Ledger())]

    def test_saving_again_replaces(self, open_journal: OpenJournal) -> None:
        journal = open_journal()

        journal.save([an_entry(1)])
        journal.save([an_entry(1, generation=2)])

        assert journal.load() == [an_entry(1, generation=2)]

    def test_entries_come_by_id(self, open_journal: OpenJournal) -> None:
        journal = open_journal()

        journal.save([an_entry(3), an_entry(1), an_entry(2)])

        assert journal.load() == [an_entry(1), an_entry(2), an_entry(3)]

    def test_dropping_forgets_and_repeats_without_harm(self, open_journal: OpenJournal) -> None:
        journal = open_journal()
        journal.save([an_entry(1), an_entry(2)])

        journal.drop([an_entry(1).desired.id, "wkr_unknown"])
        journal.drop([an_entry(1).desired.id])

        assert open_journal().load() == [an_entry(2)]

    def test_closing_twice_is_harmless(self, open_journal: OpenJournal) -> None:
        journal = open_journal()

        journal.close()
        journal.close()
