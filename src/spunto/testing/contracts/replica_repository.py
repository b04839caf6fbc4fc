"""The contract of server processes' leases, and of what nodes and assignments are to the process that holds them."""

from dataclasses import replace
from datetime import timedelta

from spunto.core.nodes.model import Node, NodeId, ReplicaId, Supersession
from spunto.core.nodes.replica import Replica
from spunto.testing.contracts.store import NOW, Store, a_tenant, an_assignment, an_id, node_in

LIMIT = 10_000


class ReplicaRepositoryContract:
    async def test_a_replica_is_found_while_its_lease_lasts(self, store: Store) -> None:
        replica, unreachable = a_replica(url="http://10.0.0.1:8001"), a_replica(url=None)
        await renewed(store, replica, for_seconds=60)
        await renewed(store, unreachable, for_seconds=60)

        assert await found(store, replica.id) == replica
        assert await found(store, unreachable.id) == unreachable

        moved = replace(replica, url="http://10.0.0.2:8001")
        await renewed(store, moved, for_seconds=60)
        assert await found(store, replica.id) == moved

        await renewed(store, moved, for_seconds=-1)
        assert await found(store, replica.id) is None
        assert await found(store, unreachable.id) == unreachable

    async def test_a_removed_or_pruned_replica_is_gone_and_a_living_one_is_not(self, store: Store) -> None:
        living, removed, dead = a_replica(), a_replica(), a_replica()
        for replica, for_seconds in ((living, 60), (removed, 60), (dead, -1)):
            await renewed(store, replica, for_seconds=for_seconds)

        async with store() as tx:
            await tx.replicas.remove(removed.id)
            await tx.replicas.remove(removed.id)
            await tx.replicas.prune(now=NOW)
            await tx.commit()
        await renewed(store, dead, for_seconds=60)

        assert [await found(store, each.id) for each in (living, removed, dead)] == [living, None, dead]

    async def test_a_node_is_abandoned_when_its_holder_has_no_lease(self, store: Store) -> None:
        tenant, living, dead = a_tenant(), a_replica(), a_replica()
        await renewed(store, living, for_seconds=60)
        await renewed(store, dead, for_seconds=-1)
        held = await node_in(store, tenant, holder=living.id)
        await node_in(store, tenant, connected=False)
        lost = [await node_in(store, tenant, holder=holder) for holder in (dead.id, ReplicaId(an_id("rpl")), None)]

        async with store.reading() as tx:
            abandoned = await tx.nodes.abandoned(now=NOW, limit=LIMIT)
            assert len(await tx.nodes.abandoned(now=NOW, limit=2)) == 2

        assert of(tenant.org_id, abandoned) == lost
        assert held not in abandoned

    async def test_a_holder_is_told_its_nodes_with_their_epochs(self, store: Store) -> None:
        tenant, holder = a_tenant(), ReplicaId(an_id("rpl"))
        own, other = await node_in(store, tenant, holder=holder, epoch=7), await node_in(store, tenant)

        async with store.reading() as tx:
            assert await tx.nodes.held_by(holder) == {own.id: 7}
            assert [await tx.nodes.epoch_of(each) for each in (own.id, other.id, NodeId("nod_none"))] == [7, 1, None]

    async def test_who_is_connected_is_known_whoever_holds_it(self, store: Store) -> None:
        tenant = a_tenant()
        here, away = await node_in(store, tenant, holder=ReplicaId("rpl_1")), await node_in(store, tenant)
        gone = await node_in(store, tenant, connected=False)

        async with store.reading() as tx:
            asked = (here.id, away.id, gone.id, NodeId("nod_none"))
            assert [await tx.nodes.is_connected(each) for each in asked] == [True, True, False, False]

    async def test_supersessions_come_back_with_the_node(self, store: Store) -> None:
        noted = (Supersession(instance_id="a", at=NOW), Supersession(instance_id="b", at=NOW + timedelta(seconds=1)))
        node = await node_in(store, a_tenant(), supersessions=noted)

        async with store.reading() as tx:
            assert await tx.nodes.find(node.id) == node

    async def test_a_holder_hears_what_is_asked_of_its_nodes_since_then(self, store: Store) -> None:
        tenant, holder = a_tenant(), ReplicaId(an_id("rpl"))
        own, other = (
            await node_in(store, tenant, holder=holder),
            await node_in(store, tenant, holder=ReplicaId("rpl_1")),
        )
        fresh, old = an_assignment(tenant, own.id, wanted_since=NOW, generation=3), an_assignment(tenant, own.id)
        old = replace(old, wanted_since=NOW - timedelta(seconds=5))
        elsewhere = an_assignment(tenant, other.id, wanted_since=NOW)
        async with store() as tx:
            for assignment in (fresh, old, elsewhere):
                await tx.assignments.add(assignment)
            await tx.commit()

        async with store.reading() as tx:
            asked = await tx.assignments.asked_since(holder, since=NOW - timedelta(seconds=5))

        assert asked == {fresh.subject_id: (own.id, 3)}


def a_replica(url: str | None = None) -> Replica:
    return Replica(id=ReplicaId(an_id("rpl")), url=url)


async def renewed(store: Store, replica: Replica, *, for_seconds: float) -> None:
    async with store() as tx:
        await tx.replicas.renew(replica, now=NOW, for_seconds=for_seconds)
        await tx.commit()


async def found(store: Store, replica_id: ReplicaId) -> Replica | None:
    async with store.reading() as tx:
        return await tx.replicas.find(replica_id, now=NOW)


def of(org_id: str, nodes: object) -> list[Node]:
    assert isinstance(nodes, list)
    return [each for each in nodes if each.org_id == org_id]
