"""The replies by command; each is declared beside its command, in `rtvoiced.ipc.contract.commands`."""

from __future__ import annotations

from typing import Any

from rtvoiced.ipc.contract.commands import DECLARED
from rtvoiced.ipc.contract.commands.process import *
from rtvoiced.ipc.contract.commands.record import *
from rtvoiced.ipc.contract.commands.settings import *
from rtvoiced.ipc.contract.commands.state import *
from rtvoiced.ipc.contract.commands.voice import *

REPLIES: dict[str, type[Any]] = {name: each.reply for name, each in DECLARED.items()}
"""The reply's class by command."""
