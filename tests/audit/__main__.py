"""`python -m tests.audit [SECTION...]`: the long proofs, with their figures; exits with 1 where one is not met."""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.audit.conformance import audit_conformance
from tests.audit.figures import Section
from tests.audit.mutants.section import audit_mutants
from tests.audit.society import audit_society

from spunto.entrypoints.serving.logs import configure_logs

SECTIONS: Final[Mapping[str, Callable[[Path], Section]]] = {
    "conformance": audit_conformance,
    "mutants": audit_mutants,
    "society": audit_society,
}
"""By name; each gets a directory of its own that is removed afterwards."""


def main(asked: list[str]) -> int:
    configure_logs("json", "error")
    unknown = set(asked) - set(SECTIONS)
    if unknown:
        print(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    results = [_run(name) for name in asked or SECTIONS]
    return 0 if all(results) else 1


def _run(name: str) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spunto-audit-") as folder:
        section = SECTIONS[name](Path(folder))
    print(f"{section.title} ({time.monotonic() - began:.0f} s)")
    for figure in section.figures:
        print(f"  {figure}")
    for complaint in section.complaints:
        print(f"  WRONG: {complaint}")
    return section.is_good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
