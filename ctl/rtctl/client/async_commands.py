"""The commands as methods of `rtctl.aio.AsyncClient`. Made by ``make generate``: do not edit.

They follow from the declarations in `rtvoiced.ipc.contract.commands`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from rtvoiced.ipc.contract import replies
from rtvoiced.vocabulary import Direction, MuteMode, TalkAction

T = TypeVar("T")


class AsyncCommandMethods:
    """A method for each command. All take *timeout_s*, which replaces the client's own time limit.

    Raises `CommandError` with the daemon's code, or ``timeout``;
    `NotRunningError` or `PermissionRefusedError` where no daemon can be
    reached.
    """

    async def _ask(self, kind: type[T], command: str, timeout_s: float | None, **args: Any) -> T:
        """Return the reply to *command* as a *kind*; arguments that are None are left out."""
        raise NotImplementedError

    async def hello(self, *, timeout_s: float | None = None) -> replies.HelloReply:
        """Who is there: versions, capabilities, endpoints."""
        return await self._ask(replies.HelloReply, "hello", timeout_s)

    async def status(self, *, timeout_s: float | None = None) -> replies.StatusReply:
        """Everything that is true now."""
        return await self._ask(replies.StatusReply, "status", timeout_s)

    async def mute(
        self, mode: MuteMode = "on", *, for_s: float | None = None, timeout_s: float | None = None
    ) -> replies.MuteReply:
        """Switch the microphone off or on; *for_s* seconds, or until told otherwise."""
        return await self._ask(replies.MuteReply, "mute", timeout_s, mode=mode, for_s=for_s)

    async def unmute(self, *, timeout_s: float | None = None) -> replies.MuteReply:
        """Switch the microphone on."""
        return await self._ask(replies.MuteReply, "mute", timeout_s, mode="off")

    async def volume(
        self, percent: int | None = None, *, relative: int | None = None, timeout_s: float | None = None
    ) -> replies.VolumeReply:
        """Set the volume, or change it by so much; with neither, tell it.

        *percent*: 0 to 100.
        *relative*: -100 to 100.
        """
        return await self._ask(replies.VolumeReply, "volume", timeout_s, percent=percent, relative=relative)

    async def interrupt(self, *, timeout_s: float | None = None) -> replies.InterruptReply:
        """Silence the assistant now."""
        return await self._ask(replies.InterruptReply, "interrupt", timeout_s)

    async def say(
        self, text: str, *, wait: bool = False, interruptible: bool = True, timeout_s: float | None = None
    ) -> replies.QueuedReply:
        """Ask the assistant to say exactly this, out of band; *wait*: answer when it has drained.

        *interruptible*: False: whoever speaks over it is answered after it; only `interrupt`
        and push-to-talk end it.
        """
        return await self._ask(
            replies.QueuedReply, "say", timeout_s, text=text, wait=wait, interruptible=interruptible
        )

    async def ask(
        self, text: str, *, wait: bool = False, timeout_s: float | None = None
    ) -> replies.QueuedReply:
        """Put a text to the assistant, as if it had been spoken.

        *wait*: answer when the answer has drained.
        """
        return await self._ask(replies.QueuedReply, "ask", timeout_s, text=text, wait=wait)

    async def talk(self, action: TalkAction, *, timeout_s: float | None = None) -> replies.TalkReply:
        """Push-to-talk: the user's turn by hand.

        *action*: ``press``, ``release``, ``cancel``.
        """
        return await self._ask(replies.TalkReply, "talk", timeout_s, action=action)

    async def reconnect(
        self, *, fresh: bool = False, wait: bool = False, timeout_s: float | None = None
    ) -> replies.AcceptedReply:
        """Open a new session; *fresh*: one that knows nothing of the old; *wait*: answer when it is up."""
        return await self._ask(replies.AcceptedReply, "reconnect", timeout_s, fresh=fresh, wait=wait)

    async def set_voice(self, voice: str, *, timeout_s: float | None = None) -> replies.SetVoiceReply:
        """Speak with another voice until the daemon ends."""
        return await self._ask(replies.SetVoiceReply, "set-voice", timeout_s, voice=voice)

    async def set(
        self, key: str, value: str | float | bool, *, timeout_s: float | None = None
    ) -> replies.SetReply:
        """Change a key of the configuration until the daemon ends.

        *key*: ``section.key``, one that can change live.
        """
        return await self._ask(replies.SetReply, "set", timeout_s, key=key, value=value)

    async def get(self, key: str, *, timeout_s: float | None = None) -> replies.GetReply:
        """Tell the value of a key of the configuration."""
        return await self._ask(replies.GetReply, "get", timeout_s, key=key)

    async def devices(self, *, timeout_s: float | None = None) -> replies.DevicesReply:
        """List the microphones and speakers that there are."""
        return await self._ask(replies.DevicesReply, "devices", timeout_s)

    async def set_device(
        self, direction: Direction, name: str, *, timeout_s: float | None = None
    ) -> replies.SetDeviceReply:
        """Use another microphone or speaker until the daemon ends.

        *direction*: ``input`` or ``output``.
        *name*: Part of its name, exact wins; empty: the system's default.
        """
        return await self._ask(
            replies.SetDeviceReply, "set-device", timeout_s, direction=direction, name=name
        )

    async def history(
        self, last: int | None = None, *, timeout_s: float | None = None
    ) -> replies.HistoryReply:
        """What was said, as text; of answers the words that were heard.

        *last*: At most so many items, 1 to 500.
        """
        return await self._ask(replies.HistoryReply, "history", timeout_s, last=last)

    async def stats(self, *, timeout_s: float | None = None) -> replies.StatsReply:
        """Counters and latencies since the start."""
        return await self._ask(replies.StatsReply, "stats", timeout_s)

    async def reload(self, *, timeout_s: float | None = None) -> replies.ReloadReply:
        """Read the configuration file again."""
        return await self._ask(replies.ReloadReply, "reload", timeout_s)

    async def stop(self, *, timeout_s: float | None = None) -> replies.AcceptedReply:
        """End the daemon."""
        return await self._ask(replies.AcceptedReply, "stop", timeout_s)
