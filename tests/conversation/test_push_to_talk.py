"""Push-to-talk: the turn by hand, and every way in which a press ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtvoiced.conversation.effects import (
    ClearTimer,
    CutPlayback,
    Effect,
    MicrophoneGate,
    Refuse,
    ReplyTo,
    SetMicrophone,
)
from rtvoiced.conversation.inputs import Commanded, Cut, Input, ShutdownAsked, TimerFired
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Thinking
from rtvoiced.conversation.timers import CHANGE_S, HEARING_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import TalkReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed
from rtvoiced.vocabulary import SpeechEnd
from support.histories import (
    A1,
    ANSWERED,
    AWAITING,
    BY_HAND,
    CONFIG,
    CREATED,
    HEARING,
    LISTENING,
    LOST,
    NOTHING,
    SECOND,
    SPEAKING,
    THINKING,
    UPDATED,
    PlainConversation,
    after,
    ask,
    done,
    effects_of,
    heard,
    phase_of,
    published,
    replies,
    ruled,
    say,
    sent,
    set_timer,
    state,
    talk,
)

PRESS, RELEASE, CANCEL = talk("press", 1), talk("release", 2), talk("cancel", 3)
OFF = replace(CONFIG, detection="none")
BY_CUT = Cut(NOTHING, "push_to_talk", request="t1")
PRESSED = (*LISTENING, PRESS, BY_CUT)
STARTED = ipc.SpeechStarted(None, None, "push_to_talk")


def at(conversation: PlainConversation, now: float, *inputs: Input) -> list[Effect]:
    return effects_of(conversation, *inputs, now=now)


def stopped(reason: SpeechEnd) -> ipc.SpeechStopped:
    return ipc.SpeechStopped(None, None, "push_to_talk", reason)


def gates(told: list[Effect]) -> list[MicrophoneGate]:
    return [each.gate for each in told if isinstance(each, SetMicrophone)]


def refusals(told: list[Effect]) -> list[tuple[int, str]]:
    return [(each.ticket, each.code) for each in told if isinstance(each, Refuse)]


def pressed_at(now: float, *history: Input) -> PlainConversation:
    conversation = after(*(history or LISTENING))
    at(conversation, now, PRESS, BY_CUT)
    return conversation


def test_press_silences_clears_and_listens() -> None:
    conversation = after(*SPEAKING)

    told = at(conversation, 10.0, PRESS)
    assert told[0] == CutPlayback("push_to_talk", request="t1")
    assert sent(told) == [events.ClearAudio(), events.UpdateTurnDetection(OFF, "talk-2")]
    assert gates(told) == [MicrophoneGate.TALK]
    assert published(told) == [STARTED]
    assert set_timer(Timer.HEARING, 10.0 + HEARING_S) in told
    assert set_timer(Timer.CHANGE, 10.0 + CHANGE_S) in told
    assert replies(told) == [{"push_to_talk": True, "changed": True, "held_ms": 0}]
    assert told[-1] == state("hearing", push_to_talk=True)

    told = at(conversation, 10.0, Cut(heard((A1, 505, 1000)), "push_to_talk", request="t1"))
    assert sent(told) == [events.CancelResponse("r1"), events.TruncateItem("a1", 0, 505)]
    (interrupt,) = [each for each in published(told) if isinstance(each, ipc.Interrupt)]
    assert (interrupt.cause, interrupt.request) == ("push_to_talk", "t1")


def test_release_commits_and_asks_for_an_answer() -> None:
    conversation = pressed_at(10.0)

    told = at(conversation, 11.5, RELEASE)
    assert sent(told) == [
        events.CommitAudio(),
        events.CreateResponse("turn-2", None, events.TURN),
        events.UpdateTurnDetection(CONFIG, "talk-3"),
    ]
    assert gates(told) == [MicrophoneGate.OPEN]
    assert published(told) == [stopped("release")]
    assert replies(told) == [{"push_to_talk": False, "changed": True, "held_ms": 1500}]
    assert phase_of(conversation) == Awaiting()
    at(conversation, 11.6, events.Committed("u1", None), events.ResponseCreated("r1", None, events.TURN))
    assert phase_of(conversation) == Thinking("r1")
    words = at(conversation, 11.7, events.UserTranscriptDone("u1", "hello"))
    assert published(words) == [ipc.UserTranscript("u1", "hello", True)]


def test_turn_by_hand_is_answered_once_where_creating_is_ours_anyway() -> None:
    conversation = pressed_at(10.0, *LISTENING, ruled("managed"), UPDATED)
    at(conversation, 11.0, RELEASE)
    at(conversation, 11.1, events.Committed("u1", None), events.ResponseCreated("r1", None, events.TURN))

    assert sent(at(conversation, 11.2, done("r1"))) == []


def test_without_turn_detection_nothing_is_sent_but_under_a_press() -> None:
    conversation = after(*BY_HAND)
    assert gates(effects_of(after(*LISTENING), ruled("auto", "none"), UPDATED)) == [MicrophoneGate.CLOSED]

    told = at(conversation, 10.0, PRESS)
    assert sent(told) == [events.ClearAudio()]
    assert gates(told) == [MicrophoneGate.TALK]
    told = at(conversation, 11.0, RELEASE)
    assert sent(told) == [events.CommitAudio(), events.CreateResponse("turn-2", None, events.TURN)]
    assert gates(told) == [MicrophoneGate.CLOSED]


def test_turn_detection_that_comes_back_listens_again() -> None:
    conversation = after(*BY_HAND)

    assert gates(at(conversation, 1.0, ruled("auto"), UPDATED)) == [MicrophoneGate.OPEN]


def test_turn_detection_that_is_switched_off_ends_what_it_heard() -> None:
    conversation = after(*HEARING)

    told = at(conversation, 1.0, ruled("auto", "none"), UPDATED)

    assert published(told) == [ipc.SpeechStopped("u1", None, "server", "cancel")]
    assert phase_of(conversation) == Listening()


def test_key_that_repeats_itself_presses_once() -> None:
    conversation = pressed_at(10.0)

    assert at(conversation, 10.04, talk("press", 7)) == [ReplyTo(7, TalkReply(True, False, 40))]


@pytest.mark.parametrize("now", [10.0, 10.05, 10.0999])
def test_press_under_100_ms_is_refused_and_sends_nothing(now: float) -> None:
    conversation = pressed_at(10.0)

    told = at(conversation, now, RELEASE)

    assert refusals(told) == [(2, "bad_args")]
    assert sent(told) == [events.ClearAudio(), events.UpdateTurnDetection(CONFIG, "talk-3")]
    assert published(told) == [stopped("cancel")]
    assert phase_of(conversation) == Listening()


def test_cancel_forgets_what_was_said() -> None:
    conversation = pressed_at(10.0)

    told = at(conversation, 12.0, CANCEL)

    assert sent(told) == [events.ClearAudio(), events.UpdateTurnDetection(CONFIG, "talk-3")]
    assert gates(told) == [MicrophoneGate.OPEN]
    assert published(told) == [stopped("cancel")]
    assert replies(told) == [{"push_to_talk": False, "changed": True, "held_ms": 2000}]


def test_cancel_of_nothing_changes_nothing() -> None:
    assert at(after(*SPEAKING), 1.0, CANCEL) == [ReplyTo(3, TalkReply(False, False, 0))]


def test_release_of_nothing_is_refused() -> None:
    told = at(after(*LISTENING), 1.0, RELEASE)

    assert refusals(told) == [(2, "not_allowed")]
    assert len(told) == 1


def test_press_while_muted_is_refused() -> None:
    told = at(after(*LISTENING, Commanded(9, "m1", commands.Mute("on"))), 1.0, PRESS)

    assert refusals(told) == [(1, "not_allowed")]
    assert len(told) == 1


@pytest.mark.parametrize("history", [(), (*LISTENING, LOST), (*LISTENING, LinkFailed("no key", 600.0))])
def test_press_without_a_session_is_refused(history: tuple[Input, ...]) -> None:
    told = at(after(*history), 1.0, PRESS)

    assert refusals(told) == [(1, "not_connected")]


ENDED: dict[str, tuple[tuple[Input, ...], list[MicrophoneGate]]] = {
    "mute": ((Commanded(9, "m1", commands.Mute("on")),), [MicrophoneGate.SILENCE] * 2),
    "link_lost": ((LOST,), [MicrophoneGate.CLOSED]),
    "timeout": ((TimerFired(Timer.HEARING),), [MicrophoneGate.OPEN]),
}


@pytest.mark.parametrize("reason", ENDED)
def test_press_is_ended_with_nothing_sent_by(reason: SpeechEnd) -> None:
    conversation = pressed_at(10.0)
    what, gate = ENDED[reason]

    told = at(conversation, 12.0, *what)
    assert stopped(reason) in published(told)
    assert gates(told) == gate
    assert not [each for each in sent(told) if isinstance(each, events.CommitAudio | events.CreateResponse)]
    assert not conversation.state_event().push_to_talk

    # Who releases the key later learns why.
    (refused,) = [each for each in at(conversation, 13.0, RELEASE) if isinstance(each, Refuse)]
    assert refused.code == "not_allowed"
    assert reason in refused.message


def test_session_after_a_press_that_its_loss_ended_has_turn_detection() -> None:
    conversation = pressed_at(10.0)
    told = at(conversation, 11.0, LOST, LinkConnecting(1), CREATED, UPDATED)

    assert sent(told) == [events.UpdateSession(CONFIG, "session-3")]
    assert gates(told)[-1] == MicrophoneGate.OPEN


def test_end_of_the_daemon_ends_a_press() -> None:
    told = at(pressed_at(10.0), 11.0, ShutdownAsked("SIGTERM"))

    assert published(told) == [stopped("cancel")]


def test_press_takes_the_turn_over_from_the_server() -> None:
    conversation = after(*HEARING)

    told = at(conversation, 10.0, PRESS)
    assert published(told) == [ipc.SpeechStopped("u1", None, "server", "cancel"), STARTED]
    assert [type(each) for each in sent(told)] == [events.ClearAudio, events.UpdateTurnDetection]
    # What the server still makes of it is nobody's turn.
    assert sent(at(conversation, 10.1, events.Committed("u1", None))) == [events.DeleteItem("u1")]


def test_what_the_servers_vad_hears_before_it_is_off_is_nothing() -> None:
    conversation = pressed_at(10.0)

    told = at(conversation, 10.1, events.SpeechStarted("u7", 0), events.SpeechStopped("u7", 0))

    assert told == []
    assert phase_of(conversation) == Hearing(None)


def test_answer_to_the_turn_before_comes_too_late() -> None:
    conversation = pressed_at(10.0, *AWAITING)

    assert sent(at(conversation, 10.2, events.ResponseCreated("r1", None))) == [events.CancelResponse("r1")]
    at(conversation, 10.3, done("r1", "cancelled"))
    told = at(conversation, 11.0, RELEASE)
    assert [type(each) for each in sent(told)] == [
        *(events.CommitAudio, events.CreateResponse, events.UpdateTurnDetection)
    ]


def test_answer_to_the_turn_before_that_comes_after_the_release_is_not_taken_for_ours() -> None:
    conversation = pressed_at(10.0, *AWAITING)
    at(conversation, 10.5, RELEASE)

    told = at(conversation, 10.6, events.ResponseCreated("r1", None))
    assert sent(told) == [events.CancelResponse("r1")]
    told = at(conversation, 10.7, done("r1", "cancelled"))
    assert [type(each) for each in sent(told)] == [events.CreateResponse]


@pytest.mark.parametrize("history", [THINKING, SPEAKING, ANSWERED])
def test_answer_waits_until_the_one_that_was_cut_is_over(history: tuple[Input, ...]) -> None:
    conversation = pressed_at(10.0, *history)
    told = at(conversation, 10.5, RELEASE)
    told += at(conversation, 10.6, done("r1", "cancelled"))

    assert [each.kind for each in sent(told) if isinstance(each, events.CreateResponse)] == [events.TURN]


@pytest.mark.parametrize("mode", [(), (ruled("auto", "none"), UPDATED), (ruled("manual"), UPDATED)])
def test_answer_that_was_asked_for_before_does_not_begin_under_a_press(mode: tuple[Input, ...]) -> None:
    conversation = pressed_at(10.0, *LISTENING, *mode, ask())

    told = at(conversation, 10.1, events.ResponseCreated("r1", "q1"))
    assert sent(told) == [events.CancelResponse("r1")]
    assert phase_of(conversation) == Hearing(None)


def test_question_typed_under_a_press_is_answered_with_what_is_said() -> None:
    conversation = pressed_at(10.0)
    told = at(conversation, 10.5, ask())
    told += at(conversation, 11.0, RELEASE)
    asked = [each.kind for each in sent(told) if isinstance(each, events.CreateResponse)]
    assert asked == [events.TURN]

    told = at(conversation, 11.1, events.ResponseCreated("r1", None, events.TURN))
    assert published(told) == [ipc.ResponseCreated("r1", request="q1")]


def test_say_waits_until_the_key_is_up() -> None:
    conversation = pressed_at(10.0)
    assert sent(at(conversation, 10.5, say())) == []

    assert events.CreateSpeech in [type(each) for each in sent(at(conversation, 11.0, CANCEL))]


def test_server_that_got_too_little_asks_nothing() -> None:
    conversation = pressed_at(10.0)
    at(conversation, 11.0, RELEASE)

    told = at(conversation, 11.1, events.ServerError(events.COMMIT_EMPTY, "too small"))
    assert [each.code for each in published(told) if isinstance(each, ipc.Error)] == ["audio_unavailable"]
    told = at(conversation, 11.2, events.ResponseCreated("r1", None, events.TURN))
    assert sent(told) == [events.CancelResponse("r1")]


def test_server_that_cannot_switch_its_turn_detection_ends_the_press() -> None:
    conversation = pressed_at(10.0)

    told = at(conversation, 10.1, events.ServerError("invalid_value", "no null", "talk-2"))

    (error,) = [each for each in published(told) if isinstance(each, ipc.Error)]
    assert error.code == "not_allowed"
    assert stopped("cancel") in published(told)
    # Half of it may have been taken: all is as configured again.
    assert events.UpdateSession(CONFIG, "change-4") in sent(told)


def test_switching_waits_for_no_change_and_switching_back_for_each() -> None:
    conversation = after(*LISTENING, ruled("managed", ticket=5))

    assert events.UpdateTurnDetection in [type(each) for each in sent(at(conversation, 1.0, PRESS))]
    told = at(conversation, 2.0, RELEASE)
    assert events.UpdateTurnDetection not in [type(each) for each in sent(told)]
    # With what: that is known when the server has answered.
    told = at(conversation, 2.1, UPDATED)
    assert sent(told)[-1] == events.UpdateTurnDetection(replace(CONFIG, client_managed_turns=True), "talk-4")
    assert ClearTimer(Timer.CHANGE) not in told


def test_turn_detection_that_is_configured_under_a_press_is_there_after_it() -> None:
    conversation = pressed_at(10.0, *BY_HAND)
    told = at(conversation, 10.1, ruled("auto"))
    assert [each.config.detection for each in sent(told) if isinstance(each, events.UpdateSession)] == [
        "none"
    ]

    told = at(conversation, 11.0, CANCEL, UPDATED)

    assert sent(told)[-1] == events.UpdateTurnDetection(CONFIG, "talk-4")
    assert gates(told)[-1] == MicrophoneGate.OPEN


def test_change_under_a_press_leaves_turn_detection_off() -> None:
    conversation = pressed_at(10.0)

    told = at(conversation, 10.1, ruled("managed", ticket=5))

    assert sent(told) == [events.UpdateSession(replace(OFF, client_managed_turns=True), "change-3")]


def test_audio_that_arrives_under_a_press_is_of_no_answer() -> None:
    assert at(pressed_at(10.0, *SPEAKING), 10.1, events.AudioDelta(A1, SECOND)) == []
