"""What outlives an agent's process: each subject as last desired, with its ledger, and what was buried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from spunto.core.executor import first_ledger
from spunto.core.executor.ledger import Ledger, ledger_from_json, ledger_to_json
from spunto.core.protocol.codec import ProtocolViolation, desired_item
from spunto.core.protocol.messages import DesiredItem

MAX_GRAVES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`unread` is the whole entry as a newer agent wrote it, where this one can't read its ledger: it is kept."""

    desired: DesiredItem
    ledger: Ledger
    unread: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grave:
    """A subject that was made absent in a generation, which the server had recorded."""

    kind: str
    id: str
    generation: int


class Journal(Protocol):
    """One node's memory. Writes survive the process (not necessarily the machine) when the call returns.

    Calls are short and block. Every one may raise Unavailable `journal_unavailable` (disk full, broken file); the
    caller goes on without, because effects are named deterministically and containers are adopted by label.
    """

    def load(self) -> list[Entry]:
        """Every entry, by subject id. One that says nothing sensible is left out, and stays where it is."""

    def save(self, entries: Sequence[Entry]) -> None:
        """Add or replace, all or none."""

    def save_for_good(self, entry: Entry) -> None:
        """Add or replace it so that it survives a power cut as well."""

    def drop(self, subject_ids: Sequence[str]) -> None:
        """Forget; unknown ids are success."""

    def bury(self, graves: Sequence[Grave]) -> None:
        """Forget the subjects, all but that they are gone; of the newest MAX_GRAVES that is kept."""

    def graves(self) -> list[Grave]:
        """The longest buried first."""

    def close(self) -> None:
        """Let go of it. Repeating is harmless."""


class MemoryJournal:
    """A journal that lives as long as its object: for the harness, which gives it to the next run of a node."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._graves: dict[str, Grave] = {}

    def load(self) -> list[Entry]:
        read = (entry_of(self._bodies[subject_id]) for subject_id in sorted(self._bodies))
        return [entry for entry in read if entry is not None]

    def save(self, entries: Sequence[Entry]) -> None:
        self._bodies.update({entry.desired.id: body_of(entry) for entry in entries})

    def save_for_good(self, entry: Entry) -> None:
        self.save([entry])

    def drop(self, subject_ids: Sequence[str]) -> None:
        for subject_id in subject_ids:
            self._bodies.pop(subject_id, None)

    def bury(self, graves: Sequence[Grave]) -> None:
        for grave in graves:
            self._bodies.pop(grave.id, None)
            self._graves.pop(grave.id, None)
            self._graves[grave.id] = grave
        for subject_id in list(self._graves)[:-MAX_GRAVES]:
            del self._graves[subject_id]

    def graves(self) -> list[Grave]:
        return list(self._graves.values())

    def copy(self) -> "MemoryJournal":
        """As a file that was copied at this moment."""
        copied = MemoryJournal()
        copied._bodies, copied._graves = dict(self._bodies), dict(self._graves)
        return copied

    def close(self) -> None:
        pass


def body_of(entry: Entry) -> bytes:
    """An entry as it is kept. Secrets are no part of it."""
    desired = entry.desired
    present = {
        "kind": desired.kind,
        "id": desired.id,
        "generation": desired.generation,
        "wanted": desired.wanted.value,
        "spec": desired.spec,
        "cause": desired.cause,
    }
    if entry.unread is not None:
        return orjson.dumps({**entry.unread, **present})
    return orjson.dumps({**present, "ledger": ledger_to_json(entry.ledger)})


def entry_of(body: bytes) -> Entry | None:
    """None where it says nothing sensible; its subject is found again by its labels."""
    try:
        values = orjson.loads(body)
        ledger_body = values["ledger"]
        kept = {name: value for name, value in values.items() if name in _DESIRED}
        desired = desired_item({**kept, "generation": _generation_of(values)})
    except (AttributeError, KeyError, TypeError, ValueError, ProtocolViolation):
        return None
    try:
        return Entry(desired=desired, ledger=_ledger_of(values, ledger_body))
    except (KeyError, TypeError, ValueError):
        return Entry(desired=desired, ledger=Ledger(), unread=values)


_DESIRED = frozenset({"kind", "id", "generation", "wanted", "spec", "cause"})
_FIELDS = _DESIRED | {"ledger"}


def _generation_of(values: Mapping[str, Any]) -> int:
    generation: int = values["generation"]
    return min(generation, first_ledger.LAST_GENERATION) if first_ledger.is_first(values["ledger"]) else generation


def _ledger_of(values: Mapping[str, Any], ledger: Mapping[str, Any]) -> Ledger:
    if values.keys() - _FIELDS or not isinstance(ledger, dict):
        raise ValueError("an entry of a newer agent, or of none")
    if first_ledger.is_first(ledger):
        ledger = first_ledger.in_present_form(ledger, values["id"])
    return ledger_from_json(ledger)
