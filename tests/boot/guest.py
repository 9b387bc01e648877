"""The half of the boot test that runs in the booted machine, as root: a function a case, in order.

Each life of the machine runs the cases of its number, and then powers off.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import first_life  # noqa: E402
import second_life  # noqa: E402

from house import UNIT  # noqa: E402

LIVES = (first_life.CASES, second_life.CASES)


def main() -> None:
    """Try the cases of this life, tell how each went, and end it."""
    counter = HERE / "life"
    life = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(life + 1))
    signal.alarm(200)
    for case in LIVES[life]:
        begun, error = time.monotonic(), None
        try:
            case()
        except BaseException:
            error = f"{traceback.format_exc()}\nthe service's log:\n{log()}"
        told = {
            "case": (case.__doc__ or case.__name__).strip(),
            "s": time.monotonic() - begun,
            "error": error,
        }
        print(json.dumps(told), flush=True)
        if error:
            # Each stands on those before it.
            (HERE / "done").touch()
            return
    if life + 1 == len(LIVES):
        (HERE / "done").touch()


def log() -> str:
    """Return the end of what the services said."""
    command = ["journalctl", "--no-pager", "--output=short-precise", "--lines=25"]
    matches = [f"_SYSTEMD_USER_UNIT={UNIT}", "+", f"USER_UNIT={UNIT}", "+", f"_SYSTEMD_UNIT={UNIT}"]
    return subprocess.run([*command, *matches], capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    main()
