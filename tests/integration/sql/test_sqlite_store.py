"""The SQL store keeps the storage contracts on SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contracts.activity import AuditLogContract, EventFeedContract
from tests.contracts.api_key_repository import ApiKeyRepositoryContract
from tests.contracts.device_repository import DeviceRepositoryContract
from tests.contracts.identity_repository import IdentityRepositoryContract
from tests.contracts.invitation_repository import InvitationRepositoryContract
from tests.contracts.node_repository import AssignmentRepositoryContract, NodeRepositoryContract
from tests.contracts.organization_repository import (
    IdempotencyRepositoryContract,
    MemberRepositoryContract,
    OrganizationRepositoryContract,
)
from tests.contracts.project_repository import ProjectRepositoryContract
from tests.contracts.replica_repository import ReplicaRepositoryContract
from tests.contracts.secret_repository import (
    CanaryRepositoryContract,
    SecretRepositoryContract,
    SshKeyRepositoryContract,
)
from tests.contracts.session_repository import SessionRepositoryContract
from tests.contracts.store_census import CensusContract
from tests.contracts.store_placement import PlacementContract
from tests.contracts.store_unit_of_work import UnitOfWorkContract
from tests.contracts.store_work_queue import WorkQueueContract
from tests.contracts.webhook_repository import (
    DeliveryRepositoryContract,
    WebhookRepositoryContract,
    WebhookSecretRepositoryContract,
)
from tests.contracts.worker_repository import WorkerRepositoryContract

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups


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
