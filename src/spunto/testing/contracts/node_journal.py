"""What every journal of a node guarantees."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from spunto.core.executor.journal import MAX_GRAVES, Entry, Grave, Journal, body_of, entry_of
from spunto.core.executor.ledger import Ledger
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import DesiredItem, Wanted

OpenJournal = Callable[[], Journal]
"""Opens the same journal again, as a new process would."""


def an_entry(number: int = 1, *, generation: int = 1, **ledger: Any) -> Entry:
    desired = DesiredItem(
        kind="worker",
        id=f"wkr_{number:026}",
        generation=generation,
        wanted=Wanted.PRESENT,
        spec={"image": "x:1", "env": {"NAME": "välue"}},
    )
    return Entry(desired=desired, ledger=Ledger(**ledger))


def a_grave(number: int, *, generation: int = 1) -> Grave:
    return Grave(kind="worker", id=f"wkr_{number:026}", generation=generation)


FULL: dict[str, Any] = {
    "ran_generation": 2,
    "failed_generation": 3,
    "problem": Problem(code="engine_refused", message="no"),
    "lacked_image_in": 4,
    "pulled_in": 5,
    "remade_in": 6,
    "refused_id": "c1",
    "removed": frozenset({"net", "vol"}),
    "needs": ("wkr_2",),
    "own": {"due": ["postCreate"], "status": {"phase": "ready", "timings": {"startSeconds": 0.25}}},
}


class JournalContract:
    """Subclasses give `open_journal`, a fixture: each call opens what the one before has left."""

    def test_a_new_journal_is_empty(self, open_journal: OpenJournal) -> None:
        assert open_journal().load() == []

    def test_what_was_saved_is_there_for_the_next_process(self, open_journal: OpenJournal) -> None:
        entries = [an_entry(1, **FULL), an_entry(2)]

        open_journal().save(entries)

        assert open_journal().load() == entries

    def test_an_absent_subject_needs_no_spec(self, open_journal: OpenJournal) -> None:
        gone = DesiredItem(kind="worker", id="wkr_1", generation=2**53 - 1, wanted=Wanted.ABSENT)

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

    def test_what_must_survive_a_power_cut_is_saved_like_the_rest(self, open_journal: OpenJournal) -> None:
        open_journal().save_for_good(an_entry(1, **FULL))

        assert open_journal().load() == [an_entry(1, **FULL)]

    def test_an_entry_of_a_newer_agent_is_written_back_as_it_was(self, open_journal: OpenJournal) -> None:
        newer = orjson.loads(body_of(an_entry(1))) | {"paused": True}
        read = entry_of(orjson.dumps(newer))
        assert read is not None

        open_journal().save([replace(read, desired=replace(read.desired, generation=2))])

        (kept,) = open_journal().load()
        assert kept.unread == newer | {"generation": 2}

    def test_a_buried_subject_is_remembered_by_its_generation_alone(self, open_journal: OpenJournal) -> None:
        open_journal().save([an_entry(1), an_entry(2)])

        open_journal().bury([a_grave(1, generation=3)])
        open_journal().bury([a_grave(1, generation=4), a_grave(5)])

        assert open_journal().load() == [an_entry(2)]
        assert open_journal().graves() == [a_grave(1, generation=4), a_grave(5)]

    def test_only_the_newest_graves_are_kept(self, open_journal: OpenJournal) -> None:
        journal = open_journal()

        journal.bury([a_grave(number) for number in range(MAX_GRAVES)])
        journal.bury([a_grave(MAX_GRAVES), a_grave(MAX_GRAVES + 1)])

        assert journal.graves() == [a_grave(number + 2) for number in range(MAX_GRAVES)]

    def test_closing_twice_is_harmless(self, open_journal: OpenJournal) -> None:
        journal = open_journal()

        journal.close()
        journal.close()
