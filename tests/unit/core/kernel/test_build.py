"""Which code runs here."""

import re
import subprocess
from pathlib import Path

from spunto.core.kernel.build import Build, this_build


def test_code_that_runs_out_of_its_repository_names_the_commit_that_is_checked_out() -> None:
    asked = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )

    assert re.fullmatch(r"[0-9a-f]{12}", this_build().commit)
    assert asked.stdout.startswith(this_build().commit)


def test_a_build_of_no_known_commit_is_told_by_its_version_alone() -> None:
    told = [str(Build(version="1.2", commit=commit)) for commit in ("", "0123456789ab")]

    assert told == ["1.2", "1.2 (0123456789ab)"]
