"""The journal in memory keeps the journal's contract."""

import pytest
from tests.contracts.node_journal import JournalContract, OpenJournal

from spunto.core.executor.journal import MemoryJournal


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def open_journal(self) -> OpenJournal:
        journal = MemoryJournal()
        return lambda: journal
