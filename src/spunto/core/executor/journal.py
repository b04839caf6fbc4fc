"""What outlives an agent's process: each subject as last desired, with its ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from spunto.core.executor.ledger import Ledger
from spunto.core.protocol.messages import DesiredItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    desired: DesiredItem
    ledger: Ledger


class Journal(Protocol):
    """One node's memory. Writes survive the process (not necessarily the machine) when the call returns.

    Calls are short and block. Every one may raise Unavailable `journal_unavailable` (disk full, broken file); the
    caller goes on without, because effects are named deterministically and containers are adopted by label.
    """

    def load(self) -> list[Entry]:
        """Every entry, by subject id. One that can't be read any more is left out."""

    def save(self, entries: Sequence[Entry]) -> None:
        """Add or replace, all or none."""

    def drop(self, subject_ids: Sequence[str]) -> None:
        """Forget; unknown ids are success."""

    def close(self) -> None:
        """Let go of it. Repeating is harmless."""


class MemoryJournal:
    """A journal that lives as long as its object: for the harness, which gives it to the next run of a node."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def load(self) -> list[Entry]:
        return [self._entries[subject_id] for subject_id in sorted(self._entries)]

    def save(self, entries: Sequence[Entry]) -> None:
        self._entries.update({entry.desired.id: entry for entry in entries})

    def drop(self, subject_ids: Sequence[str]) -> None:
        for subject_id in subject_ids:
            self._entries.pop(subject_id, None)

    def close(self) -> None:
        pass
