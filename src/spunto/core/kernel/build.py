"""Which code this is: the package's version, and the commit that it was made from."""

import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

COMMIT_FILE: Final = "commit.txt"
"""Stands in the package where it was built into a wheel."""

_PACKAGE: Final = Path(__file__).parents[2]
_REPOSITORY: Final = Path(__file__).parents[4]
_GIT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """`commit` has twelve digits; it is empty where nobody wrote down which it was."""

    version: str
    commit: str

    def __str__(self) -> str:
        return f"{self.version} ({self.commit})" if self.commit else self.version


@cache
def this_build() -> Build:
    """Of the code that runs here. May run git, once, where it runs out of its repository."""
    try:
        number = version("spunto")
    except PackageNotFoundError:
        number = "0"
    return Build(version=number, commit=_baked() or _checked_out())


def _baked() -> str:
    try:
        return (_PACKAGE / COMMIT_FILE).read_text().strip()
    except OSError:
        return ""


def _checked_out() -> str:
    # Whoever installed the package into an environment inside of another repository has none of ours here.
    if not (_REPOSITORY / ".git").exists():
        return ""
    command = ["git", "-C", str(_REPOSITORY), "rev-parse", "--short=12", "HEAD"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
