"""The SQL store keeps the storage contracts on SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
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


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups(ManualClock())


@pytest.fixture
async def store(tmp_path: Path, wakeups: Wakeups) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/spunto.db"
    await upgrade(url)
    opened = await SqlStore.open(url, wakeups)
    yield opened
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
