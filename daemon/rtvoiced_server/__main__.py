"""``python -m rtvoiced_server``: the same as ``rtvoiced serve``."""

from __future__ import annotations

import os
import sys

# Before numpy is loaded: its threads cost every start 80 ms of work, and nothing here is large enough.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rtvoiced_server.serve import main

if __name__ == "__main__":
    sys.exit(main())
