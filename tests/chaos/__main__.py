"""`python -m tests.chaos`: kills things at random, then makes one fault after the other, and looks at what is left."""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.runs import Options, run_all


def main() -> int:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}, artifacts in {options.out}", flush=True)
    report = asyncio.run(run_all(options))
    (options.out / "summary.json").write_text(json.dumps(report.to_json(), indent=2) + "\n")
    print(report.table())
    return 1 if report.has_failed else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="have a run again")
    parser.add_argument("--spawns", type=int, default=60)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--engine", choices=["docker"], default="docker", help="the one that is killed")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--only", action="append", help="run only this: `storm`, or a scenario's name")
    parser.add_argument("--replicas", action="store_true", help="run only the part with several servers")
    parser.add_argument("--out", type=Path, help="where seed, journal, logs and summary go (a new directory)")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="spunto-chaos-"))
    return Options(
        seed=given.seed,
        spawns=given.spawns,
        kills=given.kills,
        database=given.database,
        only=frozenset([*(given.only or ()), *(["replicas"] if given.replicas else [])]),
        out=out.resolve(),
    )


if __name__ == "__main__":
    sys.exit(main())
