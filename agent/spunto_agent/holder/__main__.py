"""`python -m spunto_agent.holder DIRECTORY`: holds a node's terminals, so that its agent may come and go."""

import sys

# asyncio takes it along where it is there; five megabytes for nothing that a holder does.
sys.modules["ssl"] = None  # type: ignore[assignment]  # what "not there" looks like

from spunto_agent.holder.main import main  # noqa: E402 - after that

sys.exit(main(sys.argv[1:]))
