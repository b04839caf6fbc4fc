"""The journal in memory keeps the journal's contract."""

import pytest

from spunto.core.executor.journal import MemoryJournal
from spunto.testing.contracts.node_journal import JournalContract, OpenJournal


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def open_journal(self) -> OpenJournal:
        journal = MemoryJournal()
        return lambda: journal
