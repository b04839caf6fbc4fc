"""Output by absolute offsets: in memory, on the disk, and gone."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.executor.terminals.output import Output
from spunto.core.executor.terminals.ring import Ring
from spunto_agent.holder.spill import FileSpill


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 64))
def test_a_ring_keeps_the_end_of_what_was_written_by_offset(pieces: list[bytes], capacity: int) -> None:
    ring, everything = Ring(lambda: capacity), b"".join(pieces)

    went = b"".join(ring.append(piece) for piece in pieces)

    assert ring.end == len(everything)
    assert went + ring.read(ring.start, 1000) == everything
    assert min(capacity, len(everything)) <= ring.end - ring.start <= capacity + capacity // 8


def test_a_ring_does_not_give_what_was_overwritten() -> None:
    ring = Ring(lambda: 4)
    ring.append(b"123456")

    with pytest.raises(ValueError, match="overwritten"):
        ring.read(1, 10)


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=20),
    in_memory=st.integers(1, 16),
    on_disk=st.integers(1, 64),
    limit=st.integers(1, 50),
)
def test_output_is_read_from_wherever_it_is_kept(pieces: list[bytes], in_memory: int, on_disk: int, limit: int) -> None:
    descriptor = os.memfd_create("spill")
    output, everything = Output(lambda: in_memory, FileSpill(descriptor, on_disk)), b"".join(pieces)

    for piece in pieces:
        output.append(piece)
    read, offset = b"", output.start
    while piece := output.read(offset, limit):
        read, offset = read + piece, offset + len(piece)
    output.close()

    assert (output.end, read) == (len(everything), everything[output.start :])
    assert len(read) >= min(in_memory + on_disk, len(everything))


def test_a_disk_that_takes_nothing_leaves_what_memory_holds() -> None:
    output = Output(lambda: 4, FileSpill(os.open("/dev/full", os.O_RDWR)))

    output.append(b"0123456789")
    output.append(b"abcdef")

    assert (output.start, output.read(output.start, 100)) == (12, b"cdef")
    output.close()


def test_a_spill_s_file_has_no_name(tmp_path: Path) -> None:
    spill = FileSpill.below(tmp_path)

    assert spill is not None
    assert list(tmp_path.iterdir()) == []
    spill.close()
    assert FileSpill.below(tmp_path / "none") is None
