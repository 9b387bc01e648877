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
        self, talk: ConversationState, turns: UserTurnHandler, push_to_talk: PushToTalkHandler
    ) -> None:
        self._talk = talk
        self._turns = turns
        self._push_to_talk = push_to_talk

    def updated(self, event: events.SessionUpdated, now: Monotonic) -> list[Effect]:
        """The server took a configuration; with the first the session begins."""
        talk = self._talk
        was_up, detection = talk.session.up, talk.session.detection
        told = talk.session.updated(event, now)
        if not talk.session.up:
            return told
        if was_up:
            return [*told, *(self._redetected(now) if talk.session.detection != detection else [])]
        talk.fresh = False
        told += [*talk.session.seed(talk.memory), talk.microphone(), *talk.waits.session_up()]
        return told + talk.settle(now)

    def _redetected(self, now: Monotonic) -> list[Effect]:
        """Turn detection has changed; what it had begun to hear, nobody would end any more."""
        return [*self._turns.discard("cancel"), self._talk.microphone(), *self._talk.settle(now)]

    def connecting(self, link: LinkConnecting) -> list[Effect]:
        """The link tries to reach the server."""
        self._talk.waits.session_left()
        return [*self._replaced(), *self._talk.session.connecting(link)]

    def created(self, event: events.SessionCreated, now: Monotonic) -> list[Effect]:
        """The socket is open."""
        return [*self._replaced(), *self._talk.session.created(event, now)]

    def lost(self, link: LinkLost) -> list[Effect]:
        """There is no session any more; the link tries again by itself."""
        return [*self._gone(), *self._talk.session.lost(link), self._talk.microphone()]

    def failed(self, link: LinkFailed) -> list[Effect]:
        """There will be no session until somebody acts."""
        talk = self._talk
        told = [*self._gone(), *talk.session.failed(link), talk.microphone()]
        keys, refused = talk.waits.session_failed(ipc.Error(link.code, link.reason))
        for key in keys:
            talk.questions.withdraw(key)
        return [*told, *refused]

    def _replaced(self) -> list[Effect]:
        return [*self._gone(), self._talk.microphone()] if self._talk.session.up else []

    def _gone(self) -> list[Effect]:
        talk = self._talk
        told: list[Effect] = []
        talk.waits.session_left()
        if isinstance(talk.state, Hearing):
            told.append(stopped(talk.state.item_id, None, "link_lost"))
        if talk.pressed_at is not None:
            talk.pressed_at, talk.press_ended = None, "link_lost"
        talk.utterances.discarded, talk.unwanted, talk.commits_due = None, False, 0
        told += [
            effects.ClearTimer(name)
            for name in (Timer.HEARING, Timer.RESPONSE_CREATED, Timer.DELTA, Timer.ASK)
        ]
        lost = ipc.Error("not_connected", "the link was lost", retryable=True)
        talk.waits.fail(talk.answers.keys(talk.answers.active), lost)
        told += [*talk.answers.link_lost(), *talk.questions.link_lost()]
        if talk.fresh:
            talk.memory.forget()
        sounding = talk.sounding
        talk.state = Speaking(sounding.response_id, generating=False) if sounding else Idle()
        return told

    def complained(self, error: events.ServerError, now: Monotonic) -> list[Effect]:
        """The server refused something of ours."""
        talk = self._talk
        if talk.session.cannot_talk(error):
            return self._push_to_talk.impossible(error, now)
        if error.code == events.COMMIT_EMPTY:
            return self._push_to_talk.too_little(now)
        detection = talk.session.detection
        of_session = talk.session.refused(error, now)
        if of_session is not None:
            changed = talk.session.up and talk.session.detection != detection
            return [*of_session, *(self._redetected(now) if changed else [])]
        asked, details = talk.questions.asking, {}
        if error.code == ALREADY_ACTIVE:
            if asked is None:
                return []
            if asked.wanted and talk.questions.again():
                # Usually its response.done is still to come; the timer is for the case that it has been.
                return [*talk.asked_in_vain(), effects.SetTimer(Timer.ASK, later(now, ASK_AGAIN_S))]
        elif events.is_benign(error):
            return []
        told: list[Effect] = []
        if asked is not None and (error.event_id == asked.event_id or error.code == ALREADY_ACTIVE):
            talk.questions.given_up()
            talk.waits.fail([asked.item_id], server_error(error.code, error.message, {}))
            details, told = about(asked), talk.asked_in_vain()
        told.append(Publish(server_error(error.code, error.message, details)))
        return told + talk.settle(now)
