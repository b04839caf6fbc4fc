"""What the activity slice needs from storage."""

from typing import Protocol

from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.uow import Transaction


class ActivityTransaction(Transaction, Protocol):
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
