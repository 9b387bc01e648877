"""The session with the server: configured, lost, failed; its voice; what a new one is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from rtvoice import effects
from rtvoice.effects import Effect, Send
from rtvoice.inputs import LinkConnecting, LinkFailed, LinkLost
from rtvoice.ipc import events as ipc
from rtvoice.memory import Memory
from rtvoice.realtime import events
from rtvoice.reports import late_error

CONFIGURE_S = 5.0
"""How long a server may take to answer ``session.update``."""
VOICE_S = 2.0
"""How long `set-voice` waits for the server."""
CONFIGURE_TIMER = "session.updated"
VOICE_TIMER = "voice"


@dataclass(frozen=True, slots=True)
class VoiceChange:
    """A `set-voice` that the server has not answered."""

    ticket: int
    voice: str
    event_id: str


class Session:
    """Facts about the link and its session; the methods say what has to be done."""

    def __init__(self, config: events.SessionConfig, provider: str, model: str) -> None:
        self.config = config
        self.provider = provider
        self.model = model
        self.voice = config.voice
        self.status = "connecting"
        self.reason: str | None = None
        self.attempt = 0
        self.session_id: str | None = None
        self.expires_at: float | None = None
        self.input_hz = self.output_hz = 24_000
        self.number = 0
        """Counts sessions: ids of an earlier one mean nothing to the server."""
        self.request: str | None = None
        """The `reconnect` that asked for the session to come."""
        self._configuring = False
        """The server owes an answer to our configuration."""
        self._change: VoiceChange | None = None
        self._events = 0

    @property
    def up(self) -> bool:
        """True once the server has taken our configuration."""
        return self.status == "up"

    def connecting(self, link: LinkConnecting) -> list[Effect]:
        """The link tries again."""
        self.status, self.reason, self.attempt = "connecting", None, link.attempt
        return [*self._gone(), self._publish()]

    def created(self, event: events.SessionCreated, now: float) -> list[Effect]:
        """Configure first; until the answer comes the session runs on defaults and hears nothing."""
        self.number += 1
        self._configuring = True
        self.session_id, self.expires_at = event.session_id, event.expires_at
        return [
            Send(events.UpdateSession(self.config, self._event_id("session"))),
            effects.SetTimer(CONFIGURE_TIMER, now + CONFIGURE_S),
        ]

    def updated(self, event: events.SessionUpdated) -> list[Effect]:
        """The server took a configuration: the first opens the session, a later one changed the voice."""
        if not self.up and not self._configuring:
            return []
        self.voice = event.voice or self.config.voice
        if self.up:
            return self._voice_answered(event.voice)
        self._configuring = False
        self.session_id = event.session_id or self.session_id
        self.expires_at = event.expires_at or self.expires_at
        self.model = event.model or self.model
        self.input_hz, self.output_hz = event.input_hz, event.output_hz
        self.status, self.reason, self.attempt = "up", None, 0
        request, self.request = self.request, None
        return [effects.ClearTimer(CONFIGURE_TIMER), self._publish(request=request)]

    def seed(self, memory: Memory) -> list[Effect]:
        """Tell a new session what was said; the items get ids that it knows."""
        told: list[Effect] = []
        for count, item in enumerate(memory.seeds()):
            item.item_id = f"seed_{self.number}_{count}"
            told.append(Send(events.CreateItem(item.item_id, item.role, item.known)))
        return told

    def lost(self, link: LinkLost) -> list[Effect]:
        """There is no session any more; the link tries again."""
        self.status, self.reason, self.attempt = "lost", link.reason, link.attempt
        return [*self._gone(), self._publish(retry_in_s=link.retry_in_s)]

    def failed(self, link: LinkFailed) -> list[Effect]:
        """There will be no session until somebody acts."""
        self.status, self.reason = "failed", link.reason
        request, self.request = self.request, None
        error = ipc.Error(link.code, link.reason, details={"request": request} if request else {})
        return [
            *self._gone(),
            self._publish(retry_in_s=link.retry_in_s, request=request),
            effects.Publish(error),
        ]

    def set_voice(self, ticket: int, voice: str, now: float) -> list[Effect]:
        """Ask the server for another voice; without a session the next one gets it."""
        if self._change is not None:
            return [effects.Refuse(ticket, "busy", "another set-voice waits for the server", retryable=True)]
        if not self.up:
            return self._next_session(ticket, voice)
        self._change = VoiceChange(ticket, voice, self._event_id("voice"))
        return [
            Send(events.UpdateVoice(voice, self._change.event_id)),
            effects.SetTimer(VOICE_TIMER, now + VOICE_S),
        ]

    def refused(self, error: events.ServerError) -> list[Effect] | None:
        """Return what follows from an error if it concerns the session itself, else None."""
        if error.code in events.FATAL_CODES:
            return [effects.FailLink(f"{error.code}: {error.message}")]
        change, locked = self._change, error.code == "cannot_update_voice"
        # Not every error names the event that it is about.
        if change is not None and (error.event_id == change.event_id or locked):
            self._change = None
            done: Effect = effects.ClearTimer(VOICE_TIMER)
            if locked:
                return [done, *self._next_session(change.ticket, change.voice)]
            return [done, effects.Refuse(change.ticket, "bad_args", error.message, details={"arg": "voice"})]
        if error.event_id is not None and error.event_id.startswith("session-") and not self.up:
            return [effects.FailLink(f"the server refused the session's configuration: {error.message}")]
        if error.code == "session_expired":
            return [effects.DropLink("session_expired")]
        return None

    def timer(self, name: str) -> list[Effect]:
        """One of our timers has run out."""
        if name == CONFIGURE_TIMER and self._configuring:
            late = f"the server did not take the session's configuration within {CONFIGURE_S:.0f} s"
            return [late_error(late), effects.DropLink(f"timeout: {late}")]
        if name == VOICE_TIMER and self._change is not None:
            change, self._change = self._change, None
            return [
                effects.Refuse(
                    change.ticket, "timeout", "the server did not answer within 2 s", retryable=True
                )
            ]
        return []

    def facts(self) -> dict[str, Any]:
        """Return what `status` tells of the connection."""
        return {
            "status": self.status,
            "provider": self.provider,
            "model": self.model,
            "voice": self.voice,
            "session_id": self.session_id,
            "attempt": self.attempt,
            "expires_at": self.expires_at,
            "reason": self.reason,
        }

    def _voice_answered(self, voice: str | None) -> list[Effect]:
        change, self._change = self._change, None
        if change is None:
            return []
        self.config = replace(self.config, voice=change.voice)
        self.voice = voice or change.voice
        reply = effects.Reply(change.ticket, {"voice": change.voice, "applied": "now"})
        return [effects.ClearTimer(VOICE_TIMER), reply]

    def _next_session(self, ticket: int, voice: str) -> list[Effect]:
        self.config = replace(self.config, voice=voice)
        if not self.up:
            self.voice = voice
        return [effects.Reply(ticket, {"voice": voice, "applied": "next_session"})]

    def _gone(self) -> list[Effect]:
        self.session_id, self.expires_at, self._configuring = None, None, False
        undone: list[Effect] = [effects.ClearTimer(CONFIGURE_TIMER)]
        if self._change is not None:
            change, self._change = self._change, None
            undone += [
                effects.ClearTimer(VOICE_TIMER),
                *self._next_session(change.ticket, change.voice),
            ]
        return undone

    def _event_id(self, what: str) -> str:
        self._events += 1
        return f"{what}-{self._events}"

    def _publish(self, retry_in_s: float | None = None, request: str | None = None) -> Effect:
        return effects.Publish(
            ipc.Connection(
                status=self.status,
                reason=self.reason,
                attempt=self.attempt,
                retry_in_s=retry_in_s,
                session_id=self.session_id,
                expires_at=self.expires_at,
                request=request or self.request,
            )
        )
