"""Decides from a seed what is asked for and what is killed when: pure, so that a run can be had again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from random import Random
from typing import Any

_SECONDS_A_KILL = 1.5
_CALM_SECONDS = 2.0


class Victim(StrEnum):
    SERVER = "server"
    AGENT = "agent"
    ENGINE = "engine"


class Verb(StrEnum):
    STOP = "stop"
    START = "start"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """`down_seconds` later it is started again."""

    at: float
    victim: Victim
    down_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked of a worker, so long after the answer to what was asked of it before."""

    after_seconds: float
    verb: Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A worker that is spawned under a key, and what is asked of it then."""

    at: float
    key: str
    asks: Sequence[Ask]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seed: int
    live_restore: bool
    lives: Sequence[Life]
    kills: Sequence[Kill]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


# Each as often as it stands here: kept, stopped, gone, and there and back.
_FATES = (
    (),
    (Verb.STOP,),
    (Verb.DESTROY,),
    (Verb.DESTROY,),
    (Verb.STOP, Verb.START),
    (Verb.STOP, Verb.DESTROY),
    (Verb.STOP, Verb.START, Verb.STOP),
    (Verb.STOP, Verb.START, Verb.DESTROY),
)


def plan_of(seed: int, *, spawns: int, kills: int, victims: Sequence[Victim] = tuple(Victim)) -> Plan:
    random = Random(seed)
    seconds = _CALM_SECONDS + _SECONDS_A_KILL * kills
    # Half of the engines take their containers along when they are killed, half of them leave them running.
    live_restore = random.random() < 0.5
    return Plan(
        seed=seed,
        live_restore=live_restore,
        lives=sorted((_life(random, seed, number, seconds) for number in range(spawns)), key=lambda life: life.at),
        kills=sorted((_kill(random, seconds, victims) for _ in range(kills)), key=lambda kill: kill.at),
    )


def _life(random: Random, seed: int, number: int, seconds: float) -> Life:
    # Some are asked for more in the same breath, some after they have settled.
    asks = [Ask(after_seconds=random.choice((0.0, 0.2, 1.0, 5.0)), verb=verb) for verb in random.choice(_FATES)]
    return Life(at=random.uniform(0.0, seconds * 0.9), key=f"chaos-{seed}-{number}", asks=asks)


def _kill(random: Random, seconds: float, victims: Sequence[Victim]) -> Kill:
    weights = [1 if victim is Victim.ENGINE else 2 for victim in victims]
    return Kill(
        at=random.uniform(_CALM_SECONDS, seconds),
        victim=random.choices(victims, weights)[0],
        down_seconds=random.choice((0.0, 0.0, 0.5, 1.0)),
    )
