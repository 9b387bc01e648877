"""The commands that the conversation decides: they become the input `Commanded`."""

from __future__ import annotations

import time
from typing import get_args

from rtvoiced.app.commands.calls import CommandCall, Handlers, PassOn
from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation.inputs import Commanded
from rtvoiced.ipc.contract.commands import ForConversation, Mute


def handlers() -> Handlers:
    """Return the rows of the table: one for each command in `ForConversation`."""
    return dict.fromkeys(get_args(ForConversation), pass_on)


def pass_on(call: CommandCall[ForConversation]) -> PassOn:
    """Pass the command on; a mute for a time gets its end by the wall clock, which only the daemon has."""
    for_s = call.command.for_s if isinstance(call.command, Mute) else None
    until = WallClock(round(time.time() + for_s, 3)) if for_s is not None else None
    expires = Monotonic(call.expires) if call.expires is not None else None
    return PassOn(Commanded(call.ticket, call.request_id, call.command, until=until, expires=expires))
