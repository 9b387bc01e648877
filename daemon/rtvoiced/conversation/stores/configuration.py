"""What the session is to run with, what it runs with, and what is under way between the two. Pure.

Part of `Session`, which begins and ends it. There are four configurations:

* `config` is what is wanted, by the settings and the commands;
* ``_sent`` is what this session was told last;
* ``_proven`` is what the last session began with: where a new one refuses what
  was changed meanwhile, it gets this, for better the old one than no session;
* what the server says that it does by itself (`client_managed_turns`) is true
  whatever was asked for.

While push-to-talk is pressed the server's turn detection is off; `config` and
`detection` do not change by that. Changes of a running session go through
`SessionChanges`, one at a time. Whoever asked for one waits for the server's
answer, `CHANGE_S` at most.
"""

from __future__ import annotations

from dataclasses import replace

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import (
    ClearTimer,
    DropLink,
    Effect,
    FailLink,
    Publish,
    Refuse,
    SendEvent,
    SetTimer,
)
from rtvoiced.conversation.inputs import Configure
from rtvoiced.conversation.policy import InterruptionRules
from rtvoiced.conversation.reports import DISOBEYS, disobeyed, late
from rtvoiced.conversation.stores.session_changes import MOST_CHANGES, SessionChange, SessionChanges
from rtvoiced.conversation.timers import CHANGE_S, CONFIGURE_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.vocabulary import Detection


class ConfigurationStore:
    """How the session is configured."""

    def __init__(self, config: events.SessionConfig, rules: InterruptionRules) -> None:
        self.config = config
        """How every session to come is configured."""
        self.rules = rules
        """Who may interrupt, as configured; what of it can be kept is `ConversationState.policy`."""
        self.client_managed_turns = config.client_managed_turns
        """The server's VAD does nothing by itself, as it told; without a session, as it will be asked to."""
        self.voice = config.voice
        """The voice in force."""
        self.awaited = False
        """The server owes an answer to the configuration with which its session begins."""
        self.changes = SessionChanges()
        self._up = False
        self._sent = config
        """What this session was configured with last; `config` may be newer."""
        self._proven = config
        """What the last session began with; at first what was configured.

        Not what it was changed to: a late answer to a change that timed out would pass for the next one's.
        """
        self._events = 0
        self._by_hand = False
        """Push-to-talk is pressed: turn detection is off for so long."""

    @property
    def detection(self) -> Detection:
        """What tells the server when a turn begins, but for the time of a press: ``none`` is nothing."""
        return self.config.detection

    # ------------------------------------------------------------- a session begins and ends

    def send(self, now: Monotonic) -> list[Effect]:
        """Tell a new session its configuration."""
        self.awaited, self._sent = True, self.config
        return [
            SendEvent(events.UpdateSession(self.config, self._event_id("session"))),
            SetTimer(Timer.CONFIGURE, later(now, CONFIGURE_S)),
        ]

    def begin(self, event: events.SessionUpdated, now: Monotonic) -> list[Effect]:
        """Take up the session that the server has configured."""
        self._up, self.awaited, self._proven = True, False, self._sent
        self.voice = event.voice or self.config.voice
        obeyed = self._heed(event, self._sent)
        if self.config != self._sent:
            # Changed while the server was being told the old one.
            self.changes.append(SessionChange(None, config=self.config))
        return [*([] if obeyed else [self._disobeyed()]), *self.send_next(now)]

    def end(self) -> list[Effect]:
        """Forget the session: what was under way is the next one's."""
        self._up, self.awaited = False, False
        self._by_hand, self.client_managed_turns = False, self.config.client_managed_turns
        effects: list[Effect] = [ClearTimer(Timer.CONFIGURE)]
        if self.changes.unanswered:
            effects.append(ClearTimer(Timer.CHANGE))
        for change in self.changes.end_all():
            effects += self._next_session(change)
        return effects

    def not_sent(self) -> list[Effect]:
        """Drop a link whose server has not answered our configuration in time."""
        if not self.awaited:
            return []
        message = f"the server did not take the session's configuration within {CONFIGURE_S:.0f} s"
        return [Publish(late(message)), DropLink(f"timeout: {message}")]

    # ------------------------------------------------------------------ what changes it

    def set_voice(self, ticket: int, voice: str, now: Monotonic) -> list[Effect]:
        """Ask the server for another voice; without a session the next one gets it."""
        if self.changes.voice:
            return [Refuse(ticket, "busy", "another set-voice waits for the server", retryable=True)]
        return self._change(SessionChange(ticket, voice=voice), now)

    def configure(self, asked: Configure, now: Monotonic) -> list[Effect]:
        """Run with another configuration, but for its voice, which is `set_voice`'s."""
        ticket = asked.setting.ticket if asked.setting is not None else None
        change = SessionChange(ticket, config=asked.config, rules=asked.rules, setting=asked.setting)
        if self._up and not self.changes and self._config_of(change) == self.config:
            # Nothing that the server has to know.
            self._keep(change)
            return change.done("now")
        return self._change(change, now)

    def push_to_talk(self, pressed: bool, now: Monotonic) -> list[Effect]:
        """Switch the server's turn detection off while push-to-talk is pressed."""
        self._by_hand = pressed
        if self.config.detection == "none" and not self.changes:
            return []
        # Off at once; on when it is known with what: a change may be under way.
        self.changes.append_switch(at_once=pressed)
        return self.send_next(now)

    def send_next(self, now: Monotonic) -> list[Effect]:
        """Send what waits for the server, unless it has to wait on."""
        effects: list[Effect] = []
        while (change := self.changes.begin()) is not None:
            effects += [SendEvent(self._update(change)), SetTimer(Timer.CHANGE, later(now, CHANGE_S))]
        return effects

    # ------------------------------------------------------------------ what becomes of it

    def on_changed(self, event: events.SessionUpdated, now: Monotonic) -> list[Effect]:
        """Take the server's answer to the oldest change, or what it tells unasked."""
        self.voice = event.voice or self.config.voice
        change = self.changes.answered()
        effects: list[Effect] = []
        if change is None or change.config is None:
            # What it tells is true at any rate.
            self._heed(event, replace(self.config, client_managed_turns=self.client_managed_turns))
        if change is None:
            return []
        if change.voice is not None:
            self._keep(change)
            self.voice = event.voice or change.voice
            effects = change.done("now")
        elif change.config is not None:
            effects = self._configured(change, event)
        return [*self._answered(), *effects, *self.send_next(now)]

    def on_interrupted_by_itself(self) -> list[Effect]:
        """Know that the server interrupts by itself, also where it was told not to."""
        if not self.client_managed_turns:
            return []
        self.client_managed_turns = False
        return [self._disobeyed()]

    def refuses_switch(self, error: events.ServerError) -> bool:
        """Return whether the server refuses to switch its turn detection, sooner or later."""
        if error.event_id is None or not error.event_id.startswith("talk-"):
            return False
        self.changes.refused(error.event_id)
        # It may have taken the same within a whole configuration.
        self.changes.append(SessionChange(None, config=self.config))
        return True

    def on_error(self, error: events.ServerError, now: Monotonic) -> list[Effect] | None:
        """Return what follows where the server refuses a configuration; None for any other error."""
        change, locked = self.changes.current, error.code == "cannot_update_voice"
        # Not every error names the event that it is about.
        if change is not None and (error.event_id == change.event_id or (locked and change.voice)):
            self.changes.refused(change.event_id)
            if locked and change.voice:
                effects = self._next_session(change)
            else:
                effects = change.refused("bad_args", error.message) or self._undone(error)
            return [*self._answered(), *effects, *self.send_next(now)]
        if error.event_id is None or not error.event_id.startswith("session-") or self._up:
            return None
        if self._sent != self._proven:
            # Changed while no server could object; better the old configuration than no session.
            self.config = self._proven
            message = f"the server refused what was changed: {error.message}"
            return [Publish(ipc.Error("bad_args", message)), *self.send(now)]
        return [FailLink(f"the server refused the session's configuration: {error.message}")]

    def not_changed(self, now: Monotonic) -> list[Effect]:
        """Give up a change that the server has not answered in time."""
        change = self.changes.end()
        if change is None:
            return []
        message = f"the server did not answer within {CHANGE_S:.0f} s"
        if change.config is not None and change.ticket is not None:
            # Should it take the change all the same: what somebody saw time out is not to happen later.
            self.changes.append(SessionChange(None, config=self.config))
        return [*change.refused("timeout", message, retryable=True), *self.send_next(now)]

    # ------------------------------------------------------------------------- the pieces

    def _change(self, change: SessionChange, now: Monotonic) -> list[Effect]:
        if not self._up:
            return self._next_session(change)
        if len(self.changes) >= MOST_CHANGES:
            message = f"{MOST_CHANGES} changes wait for the server"
            return change.refused("busy", message, retryable=True)
        self.changes.append(change)
        return self.send_next(now)

    def _update(self, change: SessionChange) -> events.ClientEvent:
        if change.switch:
            event_id = change.send_as(self._event_id("talk"))
            return events.UpdateTurnDetection(self._on_the_wire(self.config), event_id)
        if change.voice is not None:
            return events.UpdateVoice(change.voice, change.send_as(self._event_id("voice")))
        event_id = change.send_as(self._event_id("change"))
        # With the voice in force: a server refuses the whole for another one, once it has spoken.
        config = replace(change.config or self.config, voice=self.voice)
        return events.UpdateSession(self._on_the_wire(config), event_id)

    def _configured(self, change: SessionChange, event: events.SessionUpdated) -> list[Effect]:
        """Keep a configuration that the server took, or most of it."""
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
        self.changes.append(SessionChange(None, config=self.config))
        return refused

    def _undone(self, error: events.ServerError) -> list[Effect]:
        """Keep what the session runs with: the server refused a change that nobody waits for."""
        self.config = replace(self._sent, voice=self.config.voice)
        return [Publish(ipc.Error("bad_args", f"the server refused what was changed: {error.message}"))]

    def _next_session(self, change: SessionChange) -> list[Effect]:
        self._keep(change)
        if not self._up and change.voice is not None:
            self.voice = change.voice
        return change.done("next_session")

    def _keep(self, change: SessionChange) -> None:
        """Configure every session to come so."""
        self.config = self._config_of(change)
        self.rules = change.rules or self.rules
        if change.voice is not None:
            self.config = replace(self.config, voice=change.voice)
        if not self._up:
            self.client_managed_turns = self.config.client_managed_turns

    def _config_of(self, change: SessionChange) -> events.SessionConfig:
        return replace(change.config or self.config, voice=self.config.voice)

    def _heed(self, event: events.SessionUpdated, asked: events.SessionConfig) -> bool:
        """Take over what is in force; return False where the server interrupts though asked not to."""
        # Not told while turn detection is off, be it for the time of a press.
        self.client_managed_turns = (
            asked.client_managed_turns if event.client_managed_turns is None else event.client_managed_turns
        )
        return self.client_managed_turns or not asked.client_managed_turns

    def _on_the_wire(self, config: events.SessionConfig) -> events.SessionConfig:
        """Return *config* as the server is to run with it now."""
        return replace(config, detection="none") if self._by_hand else config

    def _disobeyed(self) -> Effect:
        return Publish(disobeyed(self.rules.policy))

    def _answered(self) -> list[Effect]:
        """Stop waiting if the server owes nothing more."""
        return [] if self.changes.unanswered else [ClearTimer(Timer.CHANGE)]

    def _event_id(self, what: str) -> str:
        self._events += 1
        return f"{what}-{self._events}"
