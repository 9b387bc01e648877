"""The session: configured first, lost and found again; its voice; what a new one is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtvoiced.clocks import WallClock
from rtvoiced.conversation.effects import (
    ClearTimer,
    DropLink,
    FailLink,
    FinishResponse,
    MicrophoneGate,
    Publish,
    ReconnectLink,
    Refuse,
    ReplyTo,
    SendEvent,
    SetMicrophone,
)
from rtvoiced.conversation.inputs import Begun, Commanded, Cut, Input, TimerFired
from rtvoiced.conversation.phases import Awaiting, Idle, Listening, Speaking
from rtvoiced.conversation.timers import CHANGE_S, CONFIGURE_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import AcceptedReply, ConnectionStatus, SetVoiceReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed
from support.histories import (
    A1,
    ANSWERED,
    AWAITING,
    CONFIG,
    CREATED,
    DRAINED,
    HEARING,
    LISTENING,
    LOST,
    SECOND,
    SPEAKING,
    TEXT,
    THINKING,
    UPDATED,
    after,
    ask,
    drained,
    effects_of,
    heard,
    published,
    replies,
    sent,
    set_timer,
    state,
)

CONNECTING: tuple[Input, ...] = (Begun(), LinkConnecting(0))
AGAIN: tuple[Input, ...] = (LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), UPDATED)
SET_VOICE = Commanded(5, "v1", commands.SetVoice("cedar"))
FRESH = Commanded(6, "f1", commands.Reconnect(fresh=True))
VOICE_IS_CEDAR = replace(UPDATED, voice="cedar")


def refused(code: str | None, event_id: str | None = "voice-2") -> events.ServerError:
    return events.ServerError(code, "no such voice", event_id)


# ---------------------------------------------------------------- connecting


def test_first_word_to_a_server_is_the_configuration() -> None:
    assert after(*CONNECTING).handle(CREATED, now=1.0) == [
        SendEvent(events.UpdateSession(CONFIG, "session-1")),
        set_timer(Timer.CONFIGURE, 1.0 + CONFIGURE_S),
    ]


def test_microphone_opens_once_the_configuration_is_taken() -> None:
    conversation = after(*CONNECTING, CREATED)

    assert conversation.handle(UPDATED, now=1.0) == [
        ClearTimer(Timer.CONFIGURE),
        Publish(ipc.Connection("up", session_id="sess_1")),
        SetMicrophone(MicrophoneGate.OPEN, 24_000),
        state("listening"),
    ]


def test_microphone_runs_at_the_rate_that_the_server_took() -> None:
    conversation = after(*CONNECTING, CREATED)
    told = conversation.handle(replace(UPDATED, input_hz=16_000), now=1.0)

    assert SetMicrophone(MicrophoneGate.OPEN, 16_000) in told


LATE = "the server did not take the session's configuration within 5 s"


def test_server_that_does_not_answer_the_configuration_is_left() -> None:
    assert after(*CONNECTING, CREATED).handle(TimerFired(Timer.CONFIGURE), now=6.0) == [
        Publish(ipc.Error("timeout", LATE, True)),
        DropLink(f"timeout: {LATE}"),
    ]


def test_server_that_refuses_the_configuration_needs_a_person() -> None:
    error = events.ServerError("invalid_value", "no such model", "session-1")

    assert after(*CONNECTING, CREATED).handle(error, now=1.0) == [
        FailLink("the server refused the session's configuration: no such model")
    ]


@pytest.mark.parametrize("code", sorted(events.FATAL_CODES))
def test_error_that_no_retry_mends_fails_the_link(code: str) -> None:
    assert after(*LISTENING).handle(events.ServerError(code, "sorry"), now=1.0) == [
        FailLink(f"{code}: sorry")
    ]


def test_expired_session_is_renewed() -> None:
    assert after(*LISTENING).handle(events.ServerError("session_expired", "60 minutes"), now=1.0) == [
        DropLink("session_expired")
    ]


def test_nothing_is_heard_before_the_session_is_configured() -> None:
    conversation = after(*CONNECTING, CREATED)

    assert effects_of(conversation, events.SpeechStarted("u1", 0), events.ResponseCreated("r1", None)) == []


def test_configuration_that_nobody_waits_for_opens_nothing() -> None:
    assert after(*LISTENING, LOST).handle(UPDATED, now=1.0) == []


def test_link_that_failed_says_why_and_when_it_tries_again() -> None:
    failed = LinkFailed("HTTP 401", 600.0, "auth_failed")

    assert published(after(*CONNECTING).handle(failed, now=1.0)) == [
        ipc.Connection("failed", "HTTP 401", 0, 600.0),
        ipc.Error("auth_failed", "HTTP 401"),
    ]


# ------------------------------------------------------------------- link lost


def test_lost_link_ends_an_open_utterance() -> None:
    conversation = after(*HEARING)

    assert published(conversation.handle(LOST, now=1.0)) == [
        ipc.SpeechStopped("u1", None, "server", "link_lost"),
        ipc.Connection("lost", "closed", 1, 0.0),
    ]
    assert conversation.phase == Idle()


def test_what_has_arrived_plays_to_its_end_without_a_link() -> None:
    conversation = after(*SPEAKING)
    told = conversation.handle(LOST, now=1.0)

    assert FinishResponse("r1") in told
    assert published(told)[0] == ipc.ResponseDone("r1", "failed", "link_lost")
    assert conversation.phase == Speaking("r1", generating=False)
    assert published(conversation.handle(drained(A1), now=2.0)) == [
        ipc.Playback("a1", "drained", 1000),
        # The transcript runs ahead: 1 s of audio had come, and all the words take 3 s to say.
        ipc.AssistantTranscript("r1", "a1", TEXT, "one two three", True, True),
    ]


@pytest.mark.parametrize("history", [AWAITING, THINKING, DRAINED, LISTENING])
def test_without_a_link_and_without_sound_nothing_goes_on(history: tuple[Input, ...]) -> None:
    conversation = after(*history, LOST)

    assert conversation.phase == Idle()
    assert effects_of(conversation, *AGAIN)[-1] == state("listening")


def test_cut_after_its_session_is_gone_corrects_nothing() -> None:
    conversation = after(*SPEAKING, LOST, Commanded(5, "i1", commands.Interrupt()))
    told = conversation.handle(Cut(heard((A1, 400, 1000)), "command", 5, "i1"), now=1.0)

    assert sent(told) == []
    assert published(told)[0] == ipc.AssistantTranscript("r1", "a1", TEXT, "one two three four", True, True)


def test_link_that_comes_back_without_being_lost_starts_anew() -> None:
    conversation = after(*HEARING)

    assert published(conversation.handle(LinkConnecting(1), now=1.0)) == [
        ipc.SpeechStopped("u1", None, "server", "link_lost"),
        ipc.Connection("connecting", attempt=1),
    ]


# ----------------------------------------------------------- what a session is told


def seeds(*inputs: Input) -> list[events.CreateItem]:
    return [each for each in sent(effects_of(after(*inputs), *AGAIN)) if isinstance(each, events.CreateItem)]


def test_new_session_is_told_what_was_said_and_heard() -> None:
    assert seeds(*DRAINED, LOST) == [
        events.CreateItem("seed_2_0", "user", "Count to ten."),
        events.CreateItem("seed_2_1", "assistant", TEXT),
    ]


def test_of_an_interrupted_answer_the_new_session_gets_the_words_heard() -> None:
    cut = (events.SpeechStarted("u2", 1), Cut(heard((A1, 400, 1000)), "server_vad"))

    assert seeds(*SPEAKING, *cut, LOST)[-1] == events.CreateItem(
        "seed_2_1", "assistant", "one two three four"
    )


def test_fresh_session_is_told_nothing() -> None:
    conversation = after(*DRAINED)

    assert conversation.handle(FRESH, now=1.0) == [ReplyTo(6, AcceptedReply(True)), ReconnectLink()]
    late = (events.Committed("u2", None), events.UserTranscriptDone("u2", "And on."))
    assert sent(effects_of(conversation, *late, LOST, *AGAIN))[1:] == []


def test_fresh_session_is_not_told_what_still_sounds() -> None:
    conversation = after(*ANSWERED, FRESH, LOST, *AGAIN)
    told = conversation.handle(drained(A1), now=1.0)

    assert sent(told) == []
    assert published(told)[-1] == ipc.AssistantTranscript("r1", "a1", TEXT, TEXT, False, False)


def test_answer_that_is_heard_out_in_the_next_session_is_told_at_its_place() -> None:
    conversation = after(*ANSWERED, LOST, *AGAIN, events.SpeechStarted("u2", 0))
    conversation.handle(events.UserTranscriptDone("u2", "Stop."), now=1.0)

    assert sent(conversation.handle(drained(A1), now=1.0)) == [
        events.CreateItem("late_1", "assistant", TEXT, "seed_2_0")
    ]


def test_answer_that_is_cut_in_the_next_session_is_told_in_the_words_heard() -> None:
    conversation = after(*ANSWERED, LOST, *AGAIN, events.SpeechStarted("u2", 0))

    assert sent(conversation.handle(Cut(heard((A1, 400, 1000)), "server_vad"), now=1.0)) == [
        events.CreateItem("late_1", "assistant", "one two three four", "seed_2_0")
    ]


def test_answer_before_which_nothing_is_known_comes_first() -> None:
    unasked = (events.ResponseCreated("r1", None), events.TextDelta("r1", "a1", "Hello.", False))
    history = (*LISTENING, *unasked, events.AudioDelta(A1, SECOND), LOST, *AGAIN)

    assert sent(after(*history).handle(drained(A1), now=1.0)) == [
        events.CreateItem("late_1", "assistant", "Hello.", "root")
    ]


def test_answer_that_is_heard_out_without_a_session_is_told_to_the_next() -> None:
    assert seeds(*ANSWERED, LOST, drained(A1))[-1] == events.CreateItem("seed_2_1", "assistant", TEXT)


def test_answer_that_was_not_wanted_is_not_waited_for_in_the_next_session() -> None:
    interrupted = (Commanded(5, "i1", commands.Interrupt()), Cut(heard(), "command", 5))
    ask = Commanded(7, "q1", commands.Ask("What time is it?"))

    assert after(*AWAITING, *interrupted, LOST, *AGAIN, ask).phase == Awaiting()


def test_reconnect_is_followed_by_its_request() -> None:
    conversation = after(*LISTENING, Commanded(5, "c1", commands.Reconnect()))
    links = published(effects_of(conversation, LOST, *AGAIN))

    assert [(each.status, each.request) for each in links if isinstance(each, ipc.Connection)] == [
        ("lost", "c1"),
        ("connecting", "c1"),
        ("up", "c1"),
    ]


# ----------------------------------------------------------------------- voice


def test_voice_is_changed_once_the_server_has_it() -> None:
    conversation = after(*LISTENING)

    assert conversation.handle(SET_VOICE, now=1.0) == [
        SendEvent(events.UpdateVoice("cedar", "voice-2")),
        set_timer(Timer.CHANGE, 1.0 + CHANGE_S),
    ]
    assert conversation.handle(VOICE_IS_CEDAR, now=1.5) == [
        ClearTimer(Timer.CHANGE),
        ReplyTo(5, SetVoiceReply("cedar", "now")),
        state("listening", voice="cedar"),
    ]


@pytest.mark.parametrize("event_id", ["voice-2", None])
def test_voice_that_the_server_cannot_change_any_more_is_the_next_sessions(event_id: str | None) -> None:
    conversation = after(*DRAINED, SET_VOICE)

    assert conversation.handle(refused("cannot_update_voice", event_id), now=1.0) == [
        ClearTimer(Timer.CHANGE),
        ReplyTo(5, SetVoiceReply("cedar", "next_session")),
    ]
    configs = sent(effects_of(conversation, LOST, *AGAIN))
    assert configs[0] == events.UpdateSession(replace(CONFIG, voice="cedar"), "session-3")


def test_voice_that_does_not_exist_is_refused() -> None:
    assert after(*LISTENING, SET_VOICE).handle(refused("invalid_value"), now=1.0) == [
        ClearTimer(Timer.CHANGE),
        Refuse(5, "bad_args", "no such voice", details={"arg": "voice"}),
    ]


def test_voice_without_an_answer_times_out() -> None:
    conversation = after(*LISTENING, SET_VOICE)

    assert conversation.handle(TimerFired(Timer.CHANGE), now=3.0) == [
        Refuse(5, "timeout", "the server did not answer within 2 s", retryable=True)
    ]


def test_one_voice_at_a_time() -> None:
    assert after(*LISTENING, SET_VOICE).handle(replace(SET_VOICE, ticket=6), now=1.0) == [
        Refuse(6, "busy", "another set-voice waits for the server", retryable=True)
    ]


def test_voice_that_was_under_way_when_the_link_was_lost_is_the_next_sessions() -> None:
    told = effects_of(after(*LISTENING, SET_VOICE), LOST)

    assert replies(told) == [{"voice": "cedar", "applied": "next_session"}]
    assert told[-1] == state("idle", connection="lost", voice="cedar")


def test_voice_without_a_session_is_the_next_ones() -> None:
    conversation = after(*CONNECTING)

    assert conversation.handle(SET_VOICE, now=1.0) == [
        ReplyTo(5, SetVoiceReply("cedar", "next_session")),
        state("idle", connection="connecting", voice="cedar"),
    ]


def test_later_configuration_without_a_question_changes_nothing() -> None:
    assert after(*LISTENING).handle(UPDATED, now=1.0) == []
    assert after(*LISTENING).phase == Listening()


def test_server_that_begins_another_session_on_the_same_socket_is_configured_anew() -> None:
    conversation = after(*SPEAKING)
    told = conversation.handle(events.SessionCreated("sess_2", None, "ga"), now=1.0)

    assert sent(told) == [events.UpdateSession(CONFIG, "session-2")]
    assert SetMicrophone(MicrophoneGate.CLOSED, 24_000) in told
    assert conversation.phase == Speaking("r1", generating=False)
    assert conversation.session.status == "connecting"
    assert SetMicrophone(MicrophoneGate.OPEN, 24_000) in conversation.handle(UPDATED, now=1.1)
    assert sent(conversation.handle(ask(), now=1.2))[-1] == events.CreateResponse("ask-2", "q1")


def test_facts_for_status() -> None:
    assert after(*LISTENING).session.connection_status(WallClock(1000.0)) == ConnectionStatus(
        status="up",
        provider="local",
        model="rtvoice-local",
        voice="marin",
        session_id="sess_1",
        since=1000.0,
        attempt=0,
        expires_at=None,
        reason=None,
    )
