"""What `deploy/` sets is set by names that the processes know."""

import re
from pathlib import Path

import pytest

from spunto.entrypoints.edge.settings import EdgeSettings
from spunto.entrypoints.serving.settings import Settings
from spunto_agent.settings import PREFIX, AgentSettings

DEPLOY = Path(__file__).parents[4] / "deploy"
KNOWN = (
    {f"SPUNTO_{name.upper()}" for name in Settings.model_fields}
    | {f"SPUNTO_EDGE_{name.upper()}" for name in EdgeSettings.model_fields}
    | {f"{PREFIX}{name.upper()}" for name in AgentSettings.model_fields}
)


@pytest.mark.parametrize(
    "file", [each.relative_to(DEPLOY) for each in sorted(DEPLOY.rglob("*")) if each.is_file()], ids=str
)
def test_a_file_of_a_deployment_names_settings_that_there_are(file: Path) -> None:
    named = set(re.findall(r"SPUNTO_[A-Z_]*[A-Z]", (DEPLOY / file).read_text()))

    assert named <= KNOWN


def test_a_deployment_sets_anything_at_all() -> None:
    assert "SPUNTO_EDGE_TRUSTED_PROXIES" in (DEPLOY / "compose.yaml").read_text()
