"""Where a server on SQLite keeps its things."""

import stat
from pathlib import Path

from tests.fixtures.processes import running_server


def test_a_directory_that_is_not_there_yet_is_made_for_nobody_else(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b"

    with running_server(tmp_path, box=False, environment={"SPUNTO_DATA_DIR": str(made)}):
        assert {"spunto.db", "keyring"} <= {each.name for each in made.iterdir()}

    assert stat.S_IMODE(made.stat().st_mode) == 0o700
