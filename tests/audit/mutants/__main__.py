"""`python -m tests.audit.mutants [--seconds N] [--jobs N] [PATH...]`: some mutants, or those of some modules."""

import argparse
import tempfile
from pathlib import Path

from tests.audit.mutants.section import JOBS, SECONDS, TARGETS, try_mutants


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.audit.mutants")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="begin no mutant after this time")
    parser.add_argument("--jobs", type=int, default=JOBS, help="how many at a time")
    parser.add_argument(
        "paths", nargs="*", choices=[[], *TARGETS], metavar="PATH", help="modules; all if none is given"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spunto-mutants-") as folder:
        section = try_mutants(Path(folder), asked.paths or list(TARGETS), seconds=asked.seconds, jobs=asked.jobs)
    print("\n".join(map(str, section.figures)))
    return 0 if section.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
