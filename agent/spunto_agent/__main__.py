"""`python -m spunto_agent`."""

import sys

from spunto_agent.main import main

sys.exit(main())
