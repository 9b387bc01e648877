"""What it means for the conversation that its session comes, goes, or complains. Pure.

What has arrived of a response plays to its end when the session is gone; all
else starts anew with the next one: the open utterance and the press of
push-to-talk end, and requests that have not begun are asked again. A new
session is configured, told what was said, and only then listened to.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import ClearTimer, Effect, Publish, SetTimer
from rtvoiced.conversation.handlers.push_to_talk import PushToTalkHandler
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Hearing, Idle, Speaking
from rtvoiced.conversation.reports import server_error
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.request import RequestStage, about
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.conversation.timers import ASK_AGAIN_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost

ALREADY_ACTIVE = "conversation_already_has_active_response"
OF_THE_SESSION = (Timer.HEARING, Timer.RESPONSE_CREATED, Timer.DELTA, Timer.ASK)
"""Timers of what the server was to say: without a session nobody waits for it."""


class ConnectionHandler:
    """The session's coming, going, and errors."""

    def __init__(
        self, state: ConversationState, turns: UserTurnHandler, push_to_talk: PushToTalkHandler
    ) -> None:
        self._state = state
        self._turns = turns
        self._push_to_talk = push_to_talk

    # ---------------------------------------------------------------------------- it comes

    def on_link_connecting(self, link: LinkConnecting) -> list[Effect]:
        """The link tries to reach the server."""
        self._state.pending_replies.on_session_left()
        return [*self._end_replaced(), *self._state.session.on_connecting(link)]

    def on_session_created(self, event: events.SessionCreated, now: Monotonic) -> list[Effect]:
        """The socket is open: configure the session.

        One that was up already is over: a server that begins another on the
        same socket knows nothing of it any more.
        """
        state = self._state
        replaced = state.session.up
        ended = self._end_session() if replaced else []
        effects = [*ended, *state.session.on_created(event, now)]
        return [*effects, state.microphone()] if replaced else effects

    def on_session_updated(self, event: events.SessionUpdated, now: Monotonic) -> list[Effect]:
        """The server took a configuration; with the first the session begins."""
        state = self._state
        was_up, detection = state.session.up, state.session.detection
        effects = state.session.on_updated(event, now)
        if not state.session.up:
            return effects
        if was_up:
            changed = state.session.detection != detection
            return [*effects, *(self._listen_anew(now) if changed else [])]
        state.history.on_session_up()
        effects += [
            *state.session.seed(state.history),
            state.microphone(),
            *state.pending_replies.on_session_up(),
        ]
        return effects + state.settle(now)

    def _listen_anew(self, now: Monotonic) -> list[Effect]:
        """Drop what another turn detection had begun to hear: nobody would end it any more."""
        return [*self._turns.discard("cancel"), self._state.microphone(), *self._state.settle(now)]

    # ---------------------------------------------------------------------------- it goes

    def on_link_lost(self, link: LinkLost) -> list[Effect]:
        """There is no session any more; the link tries again by itself."""
        return [*self._end_session(), *self._state.session.on_lost(link), self._state.microphone()]

    def on_link_failed(self, link: LinkFailed) -> list[Effect]:
        """There will be no session until somebody acts."""
        state = self._state
        effects = [*self._end_session(), *state.session.on_failed(link), state.microphone()]
        keys, refused = state.pending_replies.on_link_failed(ipc.Error(link.code, link.reason))
        for key in keys:
            state.requests.withdraw(key)
        return [*effects, *refused]

    def _end_replaced(self) -> list[Effect]:
        """End the session of now, if there is one: another takes its place."""
        return [*self._end_session(), self._state.microphone()] if self._state.session.up else []

    def _end_session(self) -> list[Effect]:
        state = self._state
        effects: list[Effect] = []
        state.pending_replies.on_session_left()
        if isinstance(state.phase, Hearing):
            effects.append(stopped(state.phase.item_id, None, "link_lost"))
        state.push_to_talk.on_session_gone()
        state.utterances.on_session_gone()
        effects += [ClearTimer(timer) for timer in OF_THE_SESSION]
        lost = ipc.Error("not_connected", "the link was lost", retryable=True)
        state.pending_replies.fail(state.responses.keys(state.responses.active), lost)
        effects += [*state.responses.on_session_gone(), *state.requests.on_session_gone()]
        state.history.on_session_gone()
        sounding = state.sounding
        state.enter(Speaking(sounding.response_id, generating=False) if sounding else Idle())
        return effects

    # ------------------------------------------------------------------------ it complains

    def on_server_error(self, error: events.ServerError, now: Monotonic) -> list[Effect]:
        """The server refused something of ours."""
        state = self._state
        if state.session.configuration.refuses_switch(error):
            return self._push_to_talk.on_switch_refused(error, now)
        if error.code == events.COMMIT_EMPTY:
            return self._push_to_talk.on_commit_empty(now)
        detection = state.session.detection
        of_session = state.session.on_error(error, now)
        if of_session is not None:
            changed = state.session.up and state.session.detection != detection
            return [*of_session, *(self._listen_anew(now) if changed else [])]
        return self._on_request_refused(error, now)

    def _on_request_refused(self, error: events.ServerError, now: Monotonic) -> list[Effect]:
        """Ask again where another response was in the way; else tell whoever it concerns."""
        state = self._state
        asked = state.requests.asking
        collided = error.code == ALREADY_ACTIVE
        if collided:
            if asked is None:
                return []
            if asked.stage is RequestStage.ASKED and state.requests.try_again():
                # Usually its response.done is still to come; the timer is for the case that it has been.
                return [*state.asked_in_vain(), SetTimer(Timer.ASK, later(now, ASK_AGAIN_S))]
        elif events.is_benign(error):
            return []
        effects, details = [], {}
        if asked is not None and (collided or error.event_id == asked.event_id):
            state.requests.give_up()
            state.pending_replies.fail([asked.key], server_error(error.code, error.message, {}))
            effects, details = state.asked_in_vain(), about(asked)
        effects.append(Publish(server_error(error.code, error.message, details)))
        return effects + state.settle(now)
