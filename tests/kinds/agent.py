"""`python -m tests.kinds.agent`: the agent, with the tests' kinds in its tables."""

import sys

from tests.kinds.registered import register

from spunto_agent.main import main

if __name__ == "__main__":
    register()
    sys.exit(main())
