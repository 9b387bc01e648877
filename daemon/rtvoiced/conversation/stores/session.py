"""The session with the server: configured, lost, failed; its voice; what a new one is told. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect, SendEvent
from rtvoiced.conversation.inputs import Configure
from rtvoiced.conversation.policy import InterruptionRules
from rtvoiced.conversation.reports import DISOBEYS, disobeyed, late
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.stores.session_changes import MOST_CHANGES, SessionChange, SessionChanges
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost
from rtvoiced.vocabulary import ConnectionStatus, Detection

CONFIGURE_S = 5.0
"""How long a server may take to answer ``session.update``."""
CHANGE_S = 2.0
"""How long `set-voice` and `set` wait for the server."""
CONFIGURE_TIMER = "session.updated"
CHANGE_TIMER = "change"


class Session:
    """Facts about the link and its session; the methods say what has to be done."""

    def __init__(
        self, config: events.SessionConfig, provider: str, model: str, rules: InterruptionRules
    ) -> None:
        self.config = config
        self.rules = rules
        """Who may interrupt, as configured; what of it can be kept is in `talk`."""
        self.client_managed_turns = config.client_managed_turns
        """The server's VAD does nothing by itself, as it told; without a session, as it will be asked to."""
        self.provider = provider
        self.model = model
        self.voice = config.voice
        self.status: ConnectionStatus = "connecting"
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
        self._sent = config
        """What this session was configured with last; `config` may be newer."""
        self._proven = config
        """What the last session began with; at first what was configured.

        Not what it was changed to: a late answer to a change that timed out would pass for the next one's.
        """
        self._changes = SessionChanges()
        self._events = 0
        self._talking = False
        """Push-to-talk is pressed: turn detection is off for so long."""

    @property
    def up(self) -> bool:
        """True once the server has taken our configuration."""
        return self.status == "up"

    @property
    def detection(self) -> Detection:
        """What tells the server when a turn begins, but for the time of a press: ``none`` is nothing."""
        return self.config.detection

    def connecting(self, link: LinkConnecting) -> list[Effect]:
        """The link tries again."""
        self.status, self.reason, self.attempt = "connecting", None, link.attempt
        return [*self._gone(), self._publish()]

    def created(self, event: events.SessionCreated, now: float) -> list[Effect]:
        """Configure first; until the answer comes the session runs on defaults and hears nothing."""
        self.number += 1
        self.session_id, self.expires_at = event.session_id, event.expires_at
        return self._configure(now)

    def updated(self, event: events.SessionUpdated, now: float) -> list[Effect]:
        """The server took a configuration: the first opens the session, a later one changed it."""
        if not self.up and not self._configuring:
            return []
        self.voice = event.voice or self.config.voice
        if self.up:
            return self._changed(event, now)
        self._configuring, self._proven = False, self._sent
        obeyed = self._heed(event, self._sent)
        self.session_id = event.session_id or self.session_id
        self.expires_at = event.expires_at or self.expires_at
        self.model = event.model or self.model
        self.input_hz, self.output_hz = event.input_hz, event.output_hz
        self.status, self.reason, self.attempt = "up", None, 0
        request, self.request = self.request, None
        if self.config != self._sent:
            # Changed while the server was being told the old one.
            self._changes.append(SessionChange(None, config=self.config))
        return [
            effects.ClearTimer(CONFIGURE_TIMER),
            self._publish(request=request),
            *([] if obeyed else [self._disobeyed()]),
            *self._next_change(now),
        ]

    def seed(self, memory: HistoryStore) -> list[Effect]:
        """Tell a new session what was said; the items get ids that it knows."""
        told: list[Effect] = []
        for count, item in enumerate(memory.seeds()):
            item.item_id = f"seed_{self.number}_{count}"
            told.append(SendEvent(events.CreateItem(item.item_id, item.role, item.known)))
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
        if self._changes.voice:
            return [effects.Refuse(ticket, "busy", "another set-voice waits for the server", retryable=True)]
        return self._change(SessionChange(ticket, voice=voice), now)

    def configure(self, asked: Configure, now: float) -> list[Effect]:
        """Run with another configuration, but for its voice, which is `set_voice`'s."""
        ticket = asked.setting.ticket if asked.setting is not None else None
        change = SessionChange(ticket, config=asked.config, rules=asked.rules, setting=asked.setting)
        if self.up and not self._changes and self._config_of(change) == self.config:
            # Nothing that the server has to know.
            self._keep(change)
            return change.done("now")
        return self._change(change, now)

    def talk(self, on: bool, now: float) -> list[Effect]:
        """Push-to-talk is pressed, or no longer: the server's turn detection is off meanwhile."""
        self._talking = on
        if self.config.detection == "none" and not self._changes:
            return []
        # Off at once; on when it is known with what: a change may be under way.
        self._changes.append_switch(at_once=on)
        return self._next_change(now)

    def cannot_talk(self, error: events.ServerError) -> bool:
        """Return whether the server refuses to switch its turn detection, sooner or later."""
        if error.event_id is None or not error.event_id.startswith("talk-"):
            return False
        self._changes.refused(error.event_id)
        # It may have taken the same within a whole configuration.
        self._changes.append(SessionChange(None, config=self.config))
        return True

    def go_on(self, now: float) -> list[Effect]:
        """Send what waits for the server."""
        return self._next_change(now)

    def interrupts(self) -> list[Effect]:
        """The server interrupted by itself, though it was told not to."""
        if not self.client_managed_turns:
            return []
        self.client_managed_turns = False
        return [self._disobeyed()]

    def refused(self, error: events.ServerError, now: float) -> list[Effect] | None:
        """Return what follows from an error if it concerns the session itself, else None."""
        if error.code in events.FATAL_CODES:
            return [effects.FailLink(f"{error.code}: {error.message}")]
        change, locked = self._changes.current, error.code == "cannot_update_voice"
        # Not every error names the event that it is about.
        if change is not None and (error.event_id == change.event_id or (locked and change.voice)):
            self._changes.refused(change.event_id)
            if locked and change.voice:
                told = self._next_session(change)
            else:
                told = change.refused("bad_args", error.message) or self._undone(error)
            return [*self._answered(), *told, *self._next_change(now)]
        if error.event_id is not None and error.event_id.startswith("session-") and not self.up:
            if self._sent != self._proven:
                # Changed while no server could object; better the old configuration than no session.
                self.config = self._proven
                message = f"the server refused what was changed: {error.message}"
                return [effects.Publish(ipc.Error("bad_args", message)), *self._configure(now)]
            return [effects.FailLink(f"the server refused the session's configuration: {error.message}")]
        if error.code == "session_expired":
            return [effects.DropLink("session_expired")]
        return None

    def timer(self, name: str, now: float) -> list[Effect]:
        """One of our timers has run out."""
        if name == CONFIGURE_TIMER and self._configuring:
            message = f"the server did not take the session's configuration within {CONFIGURE_S:.0f} s"
            return [effects.Publish(late(message)), effects.DropLink(f"timeout: {message}")]
        change = self._changes.end() if name == CHANGE_TIMER else None
        if change is None:
            return []
        message = f"the server did not answer within {CHANGE_S:.0f} s"
        if change.config is not None and change.ticket is not None:
            # Should it take the change all the same: what somebody saw time out is not to happen later.
            self._changes.append(SessionChange(None, config=self.config))
        return [*change.refused("timeout", message, retryable=True), *self._next_change(now)]

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

    def _configure(self, now: float) -> list[Effect]:
        self._configuring, self._sent = True, self.config
        return [
            SendEvent(events.UpdateSession(self.config, self._event_id("session"))),
            effects.SetTimer(CONFIGURE_TIMER, now + CONFIGURE_S),
        ]

    def _undone(self, error: events.ServerError) -> list[Effect]:
        """The server refused what nobody waits for: what it runs with stays."""
        self.config = replace(self._sent, voice=self.config.voice)
        return [
            effects.Publish(ipc.Error("bad_args", f"the server refused what was changed: {error.message}"))
        ]

    def _heed(self, event: events.SessionUpdated, asked: events.SessionConfig) -> bool:
        """Take over what is in force; return False where the server interrupts though asked not to."""
        # Not told while turn detection is off, be it for the time of a press.
        self.client_managed_turns = (
            asked.client_managed_turns if event.client_managed_turns is None else event.client_managed_turns
        )
        return self.client_managed_turns or not asked.client_managed_turns

    def _disobeyed(self) -> Effect:
        return effects.Publish(disobeyed(self.rules.policy))

    def _wire(self, config: events.SessionConfig) -> events.SessionConfig:
        """Return *config* as the server is to run with it now."""
        return replace(config, detection="none") if self._talking else config

    def _change(self, change: SessionChange, now: float) -> list[Effect]:
        if not self.up:
            return self._next_session(change)
        if len(self._changes) >= MOST_CHANGES:
            message = f"{MOST_CHANGES} changes wait for the server"
            return change.refused("busy", message, retryable=True)
        self._changes.append(change)
        return self._next_change(now)

    def _next_change(self, now: float) -> list[Effect]:
        told: list[Effect] = []
        while (change := self._changes.begin()) is not None:
            told += [SendEvent(self._update(change)), effects.SetTimer(CHANGE_TIMER, now + CHANGE_S)]
        return told

    def _update(self, change: SessionChange) -> events.ClientEvent:
        if change.switch:
            change.event_id = self._event_id("talk")
            return events.UpdateTurnDetection(self._wire(self.config), change.event_id)
        if change.voice is not None:
            change.event_id = self._event_id("voice")
            return events.UpdateVoice(change.voice, change.event_id)
        change.event_id = self._event_id("change")
        # With the voice in force: a server refuses the whole for another one, once it has spoken.
        config = replace(change.config or self.config, voice=self.voice)
        return events.UpdateSession(self._wire(config), change.event_id)

    def _changed(self, event: events.SessionUpdated, now: float) -> list[Effect]:
        change = self._changes.answered()
        told: list[Effect] = []
        if change is None or change.config is None:
            # What it tells is true at any rate.
            self._heed(event, replace(self.config, client_managed_turns=self.client_managed_turns))
        if change is None:
            return []
        if change.voice is not None:
            self._keep(change)
            self.voice = event.voice or change.voice
            told = change.done("now")
        elif change.config is not None:
            told = self._configured(change, event)
        return [*self._answered(), *told, *self._next_change(now)]

    def _configured(self, change: SessionChange, event: events.SessionUpdated) -> list[Effect]:
        """The server took another configuration, or most of it."""
        self._sent = self._config_of(change)
        if self._heed(event, self._sent):
            self._keep(change)
            return change.done("now")
        policy = (change.rules or self.rules).policy
        refused = change.refused("not_allowed", f"interruption.policy = {policy} is impossible: {DISOBEYS}")
        if not refused:
            self._keep(change)
            return [self._disobeyed()]
        # It runs with the rest of it.
        self._changes.append(SessionChange(None, config=self.config))
        return refused

    def _answered(self) -> list[Effect]:
        """The server owes nothing more."""
        return [] if self._changes.unanswered else [effects.ClearTimer(CHANGE_TIMER)]

    def _config_of(self, change: SessionChange) -> events.SessionConfig:
        return replace(change.config or self.config, voice=self.config.voice)

    def _keep(self, change: SessionChange) -> None:
        """Configure every session to come so."""
        self.config = self._config_of(change)
        self.rules = change.rules or self.rules
        if change.voice is not None:
            self.config = replace(self.config, voice=change.voice)
        if not self.up:
            self.client_managed_turns = self.config.client_managed_turns

    def _next_session(self, change: SessionChange) -> list[Effect]:
        self._keep(change)
        if not self.up and change.voice is not None:
            self.voice = change.voice
        return change.done("next_session")

    def _gone(self) -> list[Effect]:
        self.session_id, self.expires_at, self._configuring = None, None, False
        self._talking, self.client_managed_turns = False, self.config.client_managed_turns
        undone: list[Effect] = [effects.ClearTimer(CONFIGURE_TIMER)]
        if self._changes.unanswered:
            undone.append(effects.ClearTimer(CHANGE_TIMER))
        for change in self._changes.end_all():
            undone += self._next_session(change)
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
