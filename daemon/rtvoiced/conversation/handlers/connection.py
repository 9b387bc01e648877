"""What it means for the conversation that its session comes, goes, or complains. Pure."""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect, Publish
from rtvoiced.conversation.handlers.push_to_talk import PushToTalkHandler
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Hearing, Idle, Speaking
from rtvoiced.conversation.reports import server_error
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.requests import about
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.conversation.timers import ASK_AGAIN_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost

ALREADY_ACTIVE = "conversation_already_has_active_response"


class ConnectionHandler:
    """What has arrived plays to its end; everything else starts anew with the next session."""

    def __init__(
        self, state: ConversationState, turns: UserTurnHandler, push_to_talk: PushToTalkHandler
    ) -> None:
        self._state = state
        self._turns = turns
        self._push_to_talk = push_to_talk

    def updated(self, event: events.SessionUpdated, now: Monotonic) -> list[Effect]:
        """The server took a configuration; with the first the session begins."""
        state = self._state
        was_up, detection = state.session.up, state.session.detection
        told = state.session.updated(event, now)
        if not state.session.up:
            return told
        if was_up:
            return [*told, *(self._redetected(now) if state.session.detection != detection else [])]
        state.fresh = False
        told += [*state.session.seed(state.history), state.microphone(), *state.pending_replies.session_up()]
        return told + state.settle(now)

    def _redetected(self, now: Monotonic) -> list[Effect]:
        """Turn detection has changed; what it had begun to hear, nobody would end any more."""
        return [*self._turns.discard("cancel"), self._state.microphone(), *self._state.settle(now)]

    def connecting(self, link: LinkConnecting) -> list[Effect]:
        """The link tries to reach the server."""
        self._state.pending_replies.session_left()
        return [*self._replaced(), *self._state.session.connecting(link)]

    def created(self, event: events.SessionCreated, now: Monotonic) -> list[Effect]:
        """The socket is open."""
        return [*self._replaced(), *self._state.session.created(event, now)]

    def lost(self, link: LinkLost) -> list[Effect]:
        """There is no session any more; the link tries again by itself."""
        return [*self._gone(), *self._state.session.lost(link), self._state.microphone()]

    def failed(self, link: LinkFailed) -> list[Effect]:
        """There will be no session until somebody acts."""
        state = self._state
        told = [*self._gone(), *state.session.failed(link), state.microphone()]
        keys, refused = state.pending_replies.session_failed(ipc.Error(link.code, link.reason))
        for key in keys:
            state.requests.withdraw(key)
        return [*told, *refused]

    def _replaced(self) -> list[Effect]:
        return [*self._gone(), self._state.microphone()] if self._state.session.up else []

    def _gone(self) -> list[Effect]:
        state = self._state
        told: list[Effect] = []
        state.pending_replies.session_left()
        if isinstance(state.phase, Hearing):
            told.append(stopped(state.phase.item_id, None, "link_lost"))
        if state.pressed_at is not None:
            state.pressed_at, state.press_ended = None, "link_lost"
        state.utterances.discarded, state.unwanted, state.commits_due = None, False, 0
        told += [
            effects.ClearTimer(name)
            for name in (Timer.HEARING, Timer.RESPONSE_CREATED, Timer.DELTA, Timer.ASK)
        ]
        lost = ipc.Error("not_connected", "the link was lost", retryable=True)
        state.pending_replies.fail(state.responses.keys(state.responses.active), lost)
        told += [*state.responses.link_lost(), *state.requests.link_lost()]
        if state.fresh:
            state.history.forget()
        sounding = state.sounding
        state.phase = Speaking(sounding.response_id, generating=False) if sounding else Idle()
        return told

    def complained(self, error: events.ServerError, now: Monotonic) -> list[Effect]:
        """The server refused something of ours."""
        state = self._state
        if state.session.cannot_talk(error):
            return self._push_to_talk.impossible(error, now)
        if error.code == events.COMMIT_EMPTY:
            return self._push_to_talk.too_little(now)
        detection = state.session.detection
        of_session = state.session.refused(error, now)
        if of_session is not None:
            changed = state.session.up and state.session.detection != detection
            return [*of_session, *(self._redetected(now) if changed else [])]
        asked, details = state.requests.asking, {}
        if error.code == ALREADY_ACTIVE:
            if asked is None:
                return []
            if asked.wanted and state.requests.again():
                # Usually its response.done is still to come; the timer is for the case that it has been.
                return [*state.asked_in_vain(), effects.SetTimer(Timer.ASK, later(now, ASK_AGAIN_S))]
        elif events.is_benign(error):
            return []
        told: list[Effect] = []
        if asked is not None and (error.event_id == asked.event_id or error.code == ALREADY_ACTIVE):
            state.requests.given_up()
            state.pending_replies.fail([asked.item_id], server_error(error.code, error.message, {}))
            details, told = about(asked), state.asked_in_vain()
        told.append(Publish(server_error(error.code, error.message, details)))
        return told + state.settle(now)
