"""The commands of the IPC contract (docs/ipc.md) with their replies, declared in one module a family.

The fields of a command are its ``args``, those of its reply are the reply's
``data``. A command that was read from a request makes sense: its words and
bounds were checked (`rtvoiced.ipc.contract.arguments`), and the rules that
join several arguments when it was made. A new command is declared in the
module of its family and named in the union at that module's end; whatever
else there is to know of it is made from there.
"""

from __future__ import annotations

from typing import Any

from rtvoiced.ipc.contract.commands.process import *
from rtvoiced.ipc.contract.commands.record import *
from rtvoiced.ipc.contract.commands.settings import *
from rtvoiced.ipc.contract.commands.state import *
from rtvoiced.ipc.contract.commands.voice import *
from rtvoiced.ipc.contract.declaration import CommandDeclaration, commands_of

ForConversation = VoiceCommand | Stop
"""Those that the conversation decides; the daemon's shell answers the others."""
Command = ForConversation | StateCommand | Volume | SettingsCommand | RecordCommand | ProcessCommand

FAMILIES = ("state", "voice", "settings", "record", "process")
"""The modules, in the order in which the documents tell of them."""
DECLARED: dict[str, CommandDeclaration] = commands_of(*(f"{__name__}.{family}" for family in FAMILIES))
COMMANDS: dict[str, type[Any]] = {name: each.kind for name, each in DECLARED.items()}
READS = frozenset(name for name, each in DECLARED.items() if each.reads)
"""Commands that change nothing: their replies are not kept for a retry."""
