"""A storm can be had again by its seed."""

from tests.chaos.plan import Victim, plan_of


def test_a_seed_always_gives_the_same_plan() -> None:
    assert plan_of(7, spawns=20, kills=30) == plan_of(7, spawns=20, kills=30)
    assert plan_of(7, spawns=20, kills=30) != plan_of(8, spawns=20, kills=30)


def test_a_plan_has_as_many_of_everything_as_asked_for_and_kills_only_whom_it_may() -> None:
    plan = plan_of(7, spawns=20, kills=30, victims=(Victim.SERVER, Victim.AGENT))

    assert len({life.key for life in plan.lives}) == 20
    assert len(plan.kills) == 30
    assert {kill.victim for kill in plan.kills} == {Victim.SERVER, Victim.AGENT}
    assert [kill.at for kill in plan.kills] == sorted(kill.at for kill in plan.kills)
