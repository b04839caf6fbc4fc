"""What the server's process loads."""

import os
import subprocess
import sys


def test_what_its_libraries_load_for_themselves_alone_stays_out() -> None:
    program = """
import sys
from spunto.entrypoints import serve
code = serve.run()
print(code, [name for name in serve.UNUSED if sys.modules.get(name)])
"""
    # The settings are read when everything is loaded.
    environment = {**os.environ, "SPUNTO_PORT": "none"}

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, env=environment
    )

    assert "settings: port" in done.stderr
    assert done.stdout == "78 []\n"
