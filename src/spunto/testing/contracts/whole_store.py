"""Everything that a store has to keep, for whoever writes one: memory, SQLite and Postgres run the same.

A test module gives the fixtures `wakeups`, and `store` made with it: an empty one for each test. The rest is

    class TestMyStore(StoreContract):
        pass
"""

from spunto.testing.contracts.activity import AuditLogContract, EventFeedContract
from spunto.testing.contracts.api_key_repository import ApiKeyRepositoryContract
from spunto.testing.contracts.destroyed_workers import DestroyedWorkersContract
from spunto.testing.contracts.device_repository import DeviceRepositoryContract
from spunto.testing.contracts.entry_repository import EntryCodeRepositoryContract, PortLinkRepositoryContract
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
from spunto.testing.contracts.route_repository import EdgeRepositoryContract, RouteRepositoryContract
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


class StoreContract:
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

    class TestDestroyedWorkers(DestroyedWorkersContract):
        pass

    class TestWorkers(WorkerRepositoryContract):
        pass

    class TestNodes(NodeRepositoryContract):
        pass

    class TestRoutes(RouteRepositoryContract):
        pass

    class TestEdges(EdgeRepositoryContract):
        pass

    class TestEntryCodes(EntryCodeRepositoryContract):
        pass

    class TestPortLinks(PortLinkRepositoryContract):
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
