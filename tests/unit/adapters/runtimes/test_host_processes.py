"""Which processes belong to a command, by parents and sessions."""

from spunto.adapters.runtimes.host_processes import Process, tree_of

FIRST = {1: Process(parent=900, session=1), 2: Process(parent=1, session=1)}


def test_what_descends_from_it_and_what_is_left_of_their_sessions_belongs_to_it() -> None:
    command = {
        10: Process(parent=901, session=10),
        11: Process(parent=10, session=10),
        # As sudo does it: the command has a terminal, and with it a session, of its own.
        12: Process(parent=11, session=12),
        # Its parent has ended.
        13: Process(parent=1, session=12),
    }
    other = {20: Process(parent=901, session=20), 21: Process(parent=1, session=21)}

    assert tree_of(10, {**FIRST, **command, **other}, first=1) == {10, 11, 12, 13}


def test_what_is_of_the_container_s_first_process_never_belongs_to_it() -> None:
    """Also where the engine left a command in that one's session."""
    processes = {**FIRST, 10: Process(parent=901, session=1), 11: Process(parent=10, session=1)}

    assert tree_of(10, processes, first=1) == {10, 11}
    assert tree_of(1, processes, first=1) == set()


def test_of_one_that_has_ended_nothing_is_known() -> None:
    assert tree_of(10, FIRST, first=1) == set()
