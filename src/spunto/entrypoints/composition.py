"""From a store and what a program brings along to the container of all services."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import structlog

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import Keyring
from spunto.adapters.crypto.passes import KeyringPassKeys
from spunto.adapters.crypto.seal import KeyringSeal
from spunto.adapters.log_mailer import LogMailer
from spunto.core.kernel.clock import Clock, SystemClock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.log import Log
from spunto.core.kernel.reconcile import WorkQueue
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.mail import Mailer
from spunto.core.orgs.ports import IdentityProvider
from spunto.core.routes.hosts import DEFAULT_BASE_DOMAIN
from spunto.core.webhooks.addresses import AddressRule
from spunto.core.webhooks.ports import WebhookSender
from spunto.entrypoints.container import DEFAULT_URL, Container
from spunto.entrypoints.serving.telemetry import SILENT, Telemetry

if TYPE_CHECKING:
    from spunto.adapters.sql.watched import Watch

log = structlog.get_logger()


class Options(TypedDict, total=False):
    """What a program may bring along; each has a default.

    `public_url` is where the links in mail lead and what nodes dial; by its scheme and port workers have their hosts
    below `base_domain`. Without a `mailer` mail goes to the log.
    `owner_email` is whose first sign-in at the `identity_provider` makes them the first owner. `webhook_rule` says
    where webhooks may be sent: to the public internet unless told otherwise.
    """

    clock: Clock
    mailer: Mailer
    public_url: str
    base_domain: str
    identity_provider: IdentityProvider | None
    owner_email: str | None
    webhook_rule: AddressRule
    telemetry: Telemetry


class Store(Protocol):
    """A unit of work whose transactions have the repositories of every slice, as `spunto.testing.contracts` has it."""

    @property
    def queue(self) -> WorkQueue: ...

    # The transaction satisfies the protocols of all slices at once, which no single type says.
    def __call__(self) -> AbstractAsyncContextManager[Any]: ...

    def reading(self) -> AbstractAsyncContextManager[Any]: ...

    async def require_writable(self) -> None:
        """Change something that means nothing, for good. Raises Unavailable where that can't be done."""


@asynccontextmanager
async def composed(
    store: Store, keyring: Keyring, wakeups: Wakeups, options: Options, *, timeline_id: str, **more: object
) -> AsyncIterator[Container]:
    rule, telemetry = options.get("webhook_rule", AddressRule()), options.get("telemetry", SILENT)
    async with _webhook_sender(rule) as sender:
        yield Container(
            store=store,
            queue=store.queue,
            cipher=EnvelopeCipher(keyring),
            seal=KeyringSeal(keyring),
            pass_keys=KeyringPassKeys(keyring),
            wakeups=wakeups,
            clock=options.get("clock") or SystemClock(),
            timeline_id=timeline_id,
            mailer=options.get("mailer") or LogMailer(),
            public_url=options.get("public_url", DEFAULT_URL),
            base_domain=options.get("base_domain", DEFAULT_BASE_DOMAIN),
            identity_provider=options.get("identity_provider"),
            owner_email=options.get("owner_email"),
            webhook_rule=rule,
            webhook_sender=sender,
            report=_report,
            log=_log_to(telemetry),
            around=telemetry.around_item,
            **more,
        )


def watch_of(telemetry: Telemetry) -> "Watch":
    # SQLAlchemy takes half a second to import; who runs on memory goes without.
    from spunto.adapters.sql.watched import Watch

    return Watch(
        took=telemetry.statement_took,
        around_transaction=telemetry.around_transaction,
        around_statement=telemetry.around_statement,
    )


@asynccontextmanager
async def _webhook_sender(rule: AddressRule) -> AsyncIterator[WebhookSender]:
    from spunto.adapters.webhooks.sender import HttpWebhookSender

    sender = HttpWebhookSender(rule)
    try:
        yield sender
    finally:
        await sender.aclose()


def _log_to(telemetry: Telemetry) -> Log:
    """What happens to nodes is logged, and counted."""

    def take(event: str, /, **fields: object) -> None:
        log.info(event, **fields)
        telemetry.node_event(event)

    return take


def _report(kind: str, subject_id: str, error: BaseException) -> None:
    """What is no mistake of ours takes one line; a database that is away for an hour must not fill a disk."""
    if isinstance(error, SpuntoError):
        log.warning("reconcile_failed", kind=kind, subject=subject_id, code=error.code, reason=error.message)
    else:
        log.warning("reconcile_failed", kind=kind, subject=subject_id, exc_info=error)
