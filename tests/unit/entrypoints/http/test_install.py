"""The one line that makes a server a node, and the script behind it, as a shell takes them."""

import subprocess
from string import Template

from spunto.core.kernel.secret import Secret
from spunto.entrypoints.http.install import SCRIPT, install_command
from spunto.entrypoints.serving.security import PublicAddress

NOBODY_LISTENS = PublicAddress(url="http://127.0.0.1:9")


def test_a_server_that_is_away_makes_the_one_line_fail_loudly() -> None:
    line = install_command(NOBODY_LISTENS, Secret("spn_token"))

    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode != 0
    assert "curl" in done.stderr


def test_the_script_is_one_that_a_shell_reads() -> None:
    script = Template(SCRIPT.read_text()).safe_substitute(server_url="http://127.0.0.1:9", wheel="spunto.whl")

    checked = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, timeout=20, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert "$$" not in script
