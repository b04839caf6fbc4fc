"""The journal as the runner uses it: what can't be written is told, and the node works on."""

from collections.abc import Callable, Sequence

from spunto.core.executor.journal import MAX_GRAVES, Entry, Grave, Journal
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import Log


class Notes:
    """A journal that can't be used costs what a lost journal costs, which is less than standing still."""

    def __init__(self, journal: Journal, *, log: Log) -> None:
        self._journal = journal
        self._log = log
        self._graves: dict[str, Grave] = {}

    def load(self) -> list[Entry]:
        try:
            self._graves = {grave.id: grave for grave in self._journal.graves()}
            return self._journal.load()
        except Unavailable as error:
            self._note(error)
            return []

    def save(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._try(lambda: self._journal.save(entries))

    def save_for_good(self, entry: Entry) -> None:
        """Raises Unavailable: who asks for this must not go on without."""
        self._journal.save_for_good(entry)

    def drop(self, subject_ids: Sequence[str]) -> None:
        if subject_ids:
            self._try(lambda: self._journal.drop(subject_ids))

    def bury(self, graves: Sequence[Grave]) -> None:
        if not graves:
            return
        for grave in graves:
            self._graves.pop(grave.id, None)
            self._graves[grave.id] = grave
        for subject_id in list(self._graves)[:-MAX_GRAVES]:
            del self._graves[subject_id]
        self._try(lambda: self._journal.bury(graves))

    def grave_of(self, subject_id: str) -> Grave | None:
        """Where the subject was buried; as long as it is remembered."""
        return self._graves.get(subject_id)

    def exhume(self, subject_id: str) -> None:
        """It is wanted anew."""
        self._graves.pop(subject_id, None)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except Unavailable as error:
            self._note(error)

    def _note(self, error: Unavailable) -> None:
        self._log("journal_failed", error=error.message)
