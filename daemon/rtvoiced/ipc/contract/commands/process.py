"""Commands that act on the daemon as a process."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtvoiced.ipc.contract.commands.voice import AcceptedReply
from rtvoiced.ipc.contract.declaration import Verb, command


@dataclass(frozen=True, slots=True)
class ReloadReply:
    """Keys whose values changed, and those among them that need a restart."""

    changed: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)


@command(
    "reload",
    reply=ReloadReply,
    verb=Verb("have the daemon read its configuration file again", "Read the configuration file again."),
    reply_row="{changed}: keys of the file whose values changed; {restart}: those of them that need a "
    "restart",
)
class Reload:
    """Read the configuration file again."""


@command("stop", reply=AcceptedReply, verb=Verb("end the daemon"))
class Stop:
    """End the daemon."""


ProcessCommand = Reload
"""Those that the conversation does not decide: it ends the daemon itself."""
