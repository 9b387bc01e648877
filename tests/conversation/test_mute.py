"""Mute: what is said from then on, and what is still open, reaches nobody."""

from __future__ import annotations

from rtvoiced.clocks import WallClock
from rtvoiced.conversation.effects import (
    ClearTimer,
    CutPlayback,
    MicrophoneGate,
    Publish,
    ReplyTo,
    SaveMute,
    SendEvent,
    SetMicrophone,
)
from rtvoiced.conversation.inputs import Begun, Commanded, TimerFired
from rtvoiced.conversation.phases import Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.timers import RESPONSE_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import MuteReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting
from support.histories import (
    AWAITING,
    HEARING,
    LISTENING,
    LOST,
    MUTED,
    NO_CUT,
    SPEAKING,
    THINKING,
    UPDATED,
    after,
    effects_of,
    published,
    replies,
    sent,
    set_timer,
    state,
)

ON = Commanded(1, "m1", commands.Mute("on"))
OFF = Commanded(2, "m2", commands.Mute("off"))
TOGGLE = Commanded(3, "m3", commands.Mute("toggle"))
FOR_A_MINUTE = Commanded(4, "m4", commands.Mute("on", 60.0), until=WallClock(1060.0))
SAID = (events.SpeechStopped("u1", 900), events.Committed("u1", None))
"""What the server still makes of an utterance that was under way."""


def test_mute_sends_silence_and_is_kept() -> None:
    assert after(*LISTENING).handle(ON, now=1.0) == [
        ClearTimer(Timer.UNMUTE),
        SaveMute(True, None),
        SetMicrophone(MicrophoneGate.SILENCE, 24_000),
        ReplyTo(1, MuteReply(True, None, True)),
        state("listening", muted=True),
    ]


def test_unmute_opens_the_microphone() -> None:
    assert after(*MUTED).handle(OFF, now=1.0) == [
        ClearTimer(Timer.UNMUTE),
        SaveMute(False, None),
        SetMicrophone(MicrophoneGate.OPEN, 24_000),
        ReplyTo(2, MuteReply(False, None, True)),
        state("listening"),
    ]


def test_toggle_is_its_own_reverse() -> None:
    conversation = after(*LISTENING)

    assert [each["muted"] for each in replies(effects_of(conversation, TOGGLE, TOGGLE))] == [True, False]


def test_mute_for_a_time_ends_by_itself() -> None:
    conversation = after(*LISTENING)

    assert conversation.handle(FOR_A_MINUTE, now=1.0)[:2] == [
        set_timer(Timer.UNMUTE, 61.0),
        SaveMute(True, WallClock(1060.0)),
    ]
    assert conversation.handle(TimerFired(Timer.UNMUTE), now=61.0) == [
        ClearTimer(Timer.UNMUTE),
        SaveMute(False, None),
        SetMicrophone(MicrophoneGate.OPEN, 24_000),
        state("listening"),
    ]


def test_mute_says_whether_it_changed_anything() -> None:
    changed = [
        each["changed"] for each in replies(effects_of(after(*LISTENING), ON, ON, FOR_A_MINUTE, OFF, OFF))
    ]

    assert changed == [True, False, True, True, False]


def test_mute_without_a_session_keeps_not_even_a_pre_roll() -> None:
    conversation = after(*LISTENING, LOST)

    assert SetMicrophone(MicrophoneGate.OFF, 24_000) in conversation.handle(ON, now=1.0)


def test_mute_left_over_from_the_last_run_holds_for_what_is_left_of_it() -> None:
    conversation = after()

    assert conversation.handle(Begun(muted=True, for_s=30.0, until=WallClock(1030.0)), now=1.0)[:2] == [
        set_timer(Timer.UNMUTE, 31.0),
        SetMicrophone(MicrophoneGate.OFF, 24_000),
    ]
    told = effects_of(conversation, *LISTENING[1:])
    assert SetMicrophone(MicrophoneGate.SILENCE, 24_000) in told
    assert SetMicrophone(MicrophoneGate.OPEN, 24_000) not in told


def test_mute_outlives_the_session() -> None:
    again = (LOST, LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), UPDATED)

    assert effects_of(after(*MUTED), *again)[-2:] == [
        SetMicrophone(MicrophoneGate.SILENCE, 24_000),
        state("listening", muted=True),
    ]


# ------------------------------------------------------------ in a conversation


def test_mute_ends_an_open_utterance() -> None:
    conversation = after(*HEARING)

    assert conversation.handle(ON, now=1.0)[3:-2] == [
        ClearTimer(Timer.HEARING),
        SendEvent(events.ClearAudio()),
        Publish(ipc.SpeechStopped("u1", None, "server", "mute")),
    ]
    assert conversation.phase == Listening()


def test_what_the_server_makes_of_the_ended_utterance_is_deleted_and_its_answer_cancelled() -> None:
    conversation = after(*HEARING, ON, SAID[0])

    assert conversation.handle(SAID[1], now=1.0) == [
        SendEvent(events.DeleteItem("u1")),
        set_timer(Timer.RESPONSE_CREATED, 1.0 + RESPONSE_S),
    ]
    words = (events.ItemAdded("u1", "user", None), events.UserTranscriptDone("u1", "secret"))
    assert effects_of(conversation, *words) == []
    assert sent(conversation.handle(events.ResponseCreated("r1", None), now=1.0)) == [
        events.CancelResponse("r1")
    ]


def test_item_that_stood_in_the_conversation_before_its_end_is_forgotten() -> None:
    early = events.ItemAdded("u1", "user", None)
    conversation = after(*HEARING, early, ON, early, events.UserTranscriptDone("u1", "secret"))

    assert conversation.history.get("u1") is None


def test_turn_after_unmuting_is_answered() -> None:
    speech = (events.SpeechStarted("u2", 2000), NO_CUT, events.SpeechStopped("u2", 3000))
    conversation = after(*HEARING, ON, *SAID, OFF, *speech, events.ResponseCreated("r2", None))

    assert conversation.phase == Thinking("r2")


def test_utterance_that_goes_on_under_its_old_id_after_unmuting_can_end() -> None:
    conversation = after(*HEARING, ON, OFF, events.SpeechStarted("u1", 2000), NO_CUT)
    assert conversation.phase == Hearing("u1")

    assert published(conversation.handle(SAID[0], now=1.0)) == [
        ipc.SpeechStopped("u1", 900, "server", "silence")
    ]


def test_speech_from_before_the_mute_that_the_server_hears_late_is_nobodys() -> None:
    conversation = after(*MUTED)

    assert conversation.handle(events.SpeechStarted("u5", 100), now=1.0) == [
        CutPlayback("server_vad"),
        SendEvent(events.ClearAudio()),
    ]
    late = (events.SpeechStopped("u5", 1), events.Committed("u5", None))
    assert sent(effects_of(conversation, *late)) == [events.DeleteItem("u5")]


def test_answer_to_what_was_said_before_the_mute_is_given() -> None:
    assert after(*AWAITING, ON, events.ResponseCreated("r1", None)).phase == Thinking("r1")


def test_mute_lets_the_assistant_speak() -> None:
    assert after(*THINKING, ON).phase == Thinking("r1")
    assert after(*SPEAKING, ON).phase == Speaking("r1")
