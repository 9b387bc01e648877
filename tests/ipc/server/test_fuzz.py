"""Whatever arrives at a whole daemon: every well-addressed frame gets its typed answer, and nothing stops."""

from __future__ import annotations

import pytest

from rtvoiced.ipc.contract.commands import COMMANDS
from support.fuzzing import NOWHERE, abuse
from support.running import Running, room

pytestmark = pytest.mark.process

FRAMES = 2500
OF_EVERY_COMMAND = 30
"""Wrong requests made from each command's schema."""


def test_frames_of_every_kind_are_answered_and_nothing_stops() -> None:
    assert OF_EVERY_COMMAND * len(COMMANDS) < FRAMES // 2
    with room() as here, Running(here, *NOWHERE) as running:
        abuse(running, FRAMES, OF_EVERY_COMMAND, big=50)
