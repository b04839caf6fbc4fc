"""The SQL store keeps the storage contracts on Postgres."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import delete
from tests.fixtures.postgres import fresh_database

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.tables.schema import SCHEMA
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.activity import AuditLogContract, EventFeedContract
from spunto.testing.contracts.api_key_repository import ApiKeyRepositoryContract
from spunto.testing.contracts.device_repository import DeviceRepositoryContract
from spunto.testing.contracts.identity_repository import IdentityRepositoryContract
from spunto.testing.contracts.invitation_repository import InvitationRepositoryContract
from spunto.testing.contracts.node_repository import AssignmentRepositoryContract, NodeRepositoryContract
from spunto.testing.contracts.organization_repository import (
    IdempotencyRepositoryContract,
    MemberRepositoryContract,
    OrganizationRepositoryContract,
)
from spunto.testing.contracts.project_repository import ProjectRepositoryContract
from spunto.testing.contracts.replica_repository import ReplicaRepositoryContract
from spunto.testing.contracts.secret_repository import (
    CanaryRepositoryContract,
    SecretRepositoryContract,
    SshKeyRepositoryContract,
)
from spunto.testing.contracts.session_repository import SessionRepositoryContract
from spunto.testing.contracts.store_census import CensusContract
from spunto.testing.contracts.store_placement import PlacementContract
from spunto.testing.contracts.store_unit_of_work import UnitOfWorkContract
from spunto.testing.contracts.store_work_queue import WorkQueueContract
from spunto.testing.contracts.webhook_repository import (
    DeliveryRepositoryContract,
    WebhookRepositoryContract,
    WebhookSecretRepositoryContract,
)
from spunto.testing.contracts.worker_repository import WorkerRepositoryContract

pytestmark = pytest.mark.postgres


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups(ManualClock())


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    """Migrated once: making a database takes longer than most of these tests."""
    fresh = fresh_database(postgres_url)
    with asyncio.Runner() as runner:
        url = runner.run(fresh.__aenter__())
        try:
            runner.run(upgrade(url))
            yield url
        finally:
            runner.run(fresh.__aexit__(None, None, None))


@pytest.fixture
async def store(database: str, wakeups: Wakeups) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(database, wakeups)
    try:
        yield opened
        async with opened._database.writing() as statements:
            for table in reversed(SCHEMA.sorted_tables):
                await statements.change(delete(table), {})
            await statements.commit()
    finally:
        await opened.aclose()


class TestUnitOfWork(UnitOfWorkContract):
    pass


class TestSessions(SessionRepositoryContract):
    pass


class TestApiKeys(ApiKeyRepositoryContract):
    pass


class TestOrganizations(OrganizationRepositoryContract):
    pass


class TestMembers(MemberRepositoryContract):
    pass


class TestInvitations(InvitationRepositoryContract):
    pass


class TestSecrets(SecretRepositoryContract):
    pass


class TestCanary(CanaryRepositoryContract):
    pass


class TestSshKeys(SshKeyRepositoryContract):
    pass


class TestDevices(DeviceRepositoryContract):
    pass


class TestIdentities(IdentityRepositoryContract):
    pass


class TestAuditLog(AuditLogContract):
    pass


class TestEventFeed(EventFeedContract):
    pass


class TestWebhooks(WebhookRepositoryContract):
    pass


class TestWebhookSecrets(WebhookSecretRepositoryContract):
    pass


class TestDeliveries(DeliveryRepositoryContract):
    pass


class TestIdempotency(IdempotencyRepositoryContract):
    pass


class TestProjects(ProjectRepositoryContract):
    pass


class TestWorkers(WorkerRepositoryContract):
    pass


class TestNodes(NodeRepositoryContract):
    pass


class TestReplicas(ReplicaRepositoryContract):
    pass


class TestAssignments(AssignmentRepositoryContract):
    pass


class TestPlacement(PlacementContract):
    pass


class TestCensus(CensusContract):
    pass


class TestWorkQueue(WorkQueueContract):
    pass
