"""Writes into the wheel which commit it was made from, where that is known."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own parameter says nothing here
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        command = ["git", "-C", self.root, "rev-parse", "--short=12", "HEAD"]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return
        if asked.returncode == 0:
            self._file = Path(tempfile.mkdtemp()) / "commit.txt"
            self._file.write_text(asked.stdout)
            build_data["force_include"][str(self._file)] = "spunto/commit.txt"
