"""Voices over an answer: held, cut, or heard out, whatever the policy; and every hold ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

import support.histories as h
from rtvoiced.audio.events import DeviceChanged, EchoChanged, Held, VoiceStarted, VoiceStopped
from rtvoiced.conversation.effects import (
    ClearTimer,
    CutPlayback,
    Effect,
    HoldPlayback,
    Refuse,
    ResumePlayback,
)
from rtvoiced.conversation.inputs import Begun, Commanded, Cut, Input, ShutdownAsked, TimerFired
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking
from rtvoiced.conversation.policy import InterruptionRules
from rtvoiced.conversation.timers import PROTECTED_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed
from rtvoiced.vocabulary import Cause, PolicySetting
from support.histories import (
    A1,
    ANSWERED,
    CONFIG,
    ECHO_OFF,
    HEARING,
    HELD,
    LISTENING,
    LOST,
    MANAGED,
    MANUAL,
    NOTHING,
    RESUMED,
    SECOND,
    SPEAKING,
    TEXT,
    UPDATED,
    VAD_ON,
    PlainConversation,
    after,
    drained,
    effects_of,
    heard,
    phase_of,
    published,
    replies,
    ruled,
    say,
    sent,
    set_timer,
)

VOICE = VoiceStarted(9.9)
SPEECH = events.SpeechStarted("u2", 0)
STOPPED = (events.SpeechStopped("u2", 900), events.Committed("u2", "u1"))
TURN: tuple[Input, ...] = (
    events.SpeechStarted("u1", 0),
    events.SpeechStopped("u1", 900),
    events.Committed("u1", None),
)
RESPONSE: tuple[Input, ...] = (
    events.ResponseCreated("r1", None, events.TURN),
    events.OutputItemAdded("r1", "a1", "message"),
    events.TextDelta("r1", "a1", TEXT, False),
    events.AudioDelta(A1, SECOND),
)
MANAGED_SPEAKING = (*MANAGED, *TURN, *RESPONSE)
MANUAL_SPEAKING = (*MANUAL, *TURN, *RESPONSE)
CUT_AT_505 = heard((A1, 505, 1000))


def at(conversation: PlainConversation, now: float, *inputs: Input) -> list[Effect]:
    return effects_of(conversation, *inputs, now=now)


def holding(*history: Input) -> PlainConversation:
    """An answer that is held since 10.0, because of a voice that began at 9.9 and goes on."""
    conversation = after(*(history or (*SPEAKING, VAD_ON)))
    at(conversation, 10.0, VOICE, HELD)
    return conversation


def interrupts(told: list[Effect]) -> list[ipc.Interrupt]:
    return [event for event in published(told) if isinstance(event, ipc.Interrupt)]


def asks_for_a_turn(told: list[Effect]) -> bool:
    """The only thing that the server is told is to answer what the user said."""
    (asked,) = sent(told)
    return isinstance(asked, events.CreateResponse) and asked.kind == events.TURN


def speeches(told: list[Effect]) -> list[ipc.IpcEvent]:
    return [each for each in published(told) if isinstance(each, ipc.SpeechStarted | ipc.SpeechStopped)]


# ------------------------------------------------------------------------------- hold


def test_voice_holds_the_answer() -> None:
    conversation = after(*SPEAKING, VAD_ON)

    assert at(conversation, 10.0, VOICE) == [HoldPlayback(), set_timer(Timer.HOLD, 12.0)]
    assert published(at(conversation, 10.0, HELD)) == [ipc.Playback("a1", "held", 505)]
    assert phase_of(conversation) == Speaking("r1")


def test_servers_word_cuts_a_held_answer_where_it_was_held() -> None:
    conversation = holding()

    cut = at(conversation, 10.3, SPEECH)
    assert cut[0] == CutPlayback("server_vad")
    assert phase_of(conversation) == Hearing("u2")

    told = at(conversation, 10.3, Cut(CUT_AT_505, "server_vad"))
    assert sent(told) == [events.TruncateItem("a1", 0, 505)]
    # Both are those of the hold: it was then that the answer fell silent.
    assert interrupts(told) == [ipc.Interrupt("server_vad", "r1", "a1", 505, 495, 100.0, 15.0)]
    assert ClearTimer(Timer.HOLD) in told


def test_held_answer_goes_on_when_it_was_only_a_cough() -> None:
    conversation = holding()

    assert at(conversation, 10.35, VoiceStopped(10.2)) == [set_timer(Timer.HOLD, 10.8)]
    assert at(conversation, 10.8, TimerFired(Timer.HOLD)) == [
        ClearTimer(Timer.HOLD),
        ClearTimer(Timer.SPEECH),
        ResumePlayback(),
    ]
    assert published(at(conversation, 10.8, RESUMED)) == [ipc.Playback("a1", "resumed", 305)]
    counts = conversation.interruption.counts
    assert (counts.resumes, counts.false_holds, counts.echo_rejections) == (1, 1, 0)


def test_answer_waits_for_200_ms_of_quiet_and_2_s_at_most() -> None:
    assert at(holding(), 10.9, VoiceStopped(10.75)) == [set_timer(Timer.HOLD, 10.95)]
    assert at(holding(), 12.0, VoiceStopped(11.9))[-1] == ResumePlayback()
    assert at(holding(), 12.0, TimerFired(Timer.HOLD))[-1] == ResumePlayback()


def test_voice_that_comes_again_holds_on() -> None:
    conversation = holding()
    at(conversation, 10.3, VoiceStopped(10.2))

    assert at(conversation, 10.6, VoiceStarted(10.5)) == [set_timer(Timer.HOLD, 12.0)]


def test_servers_word_after_a_resume_is_an_ordinary_cut() -> None:
    conversation = holding()
    at(conversation, 10.35, VoiceStopped(10.2))
    at(conversation, 10.8, TimerFired(Timer.HOLD), RESUMED)

    assert at(conversation, 11.0, SPEECH)[0] == CutPlayback("server_vad")
    told = at(conversation, 11.0, Cut(heard((A1, 600, 1000)), "server_vad"))
    assert interrupts(told)[0].onset_to_decision_ms == 1100.0
    assert sent(told) == [events.TruncateItem("a1", 0, 600)]


def test_server_that_is_faster_than_our_own_vad_cuts_at_once() -> None:
    conversation = after(*SPEAKING, VAD_ON)
    at(conversation, 10.0, SPEECH, Cut(heard((A1, 505, 1000)), "server_vad"))

    assert at(conversation, 10.05, VOICE) == []


NO_HOLD: dict[str, tuple[Input, ...]] = {
    "nothing sounds": (*LISTENING, VAD_ON),
    "nothing sounds yet": (*h.THINKING, VAD_ON),
    "the user speaks": (*HEARING, VAD_ON),
    "no VAD of our own": (*SPEAKING, ECHO_OFF),
    "half duplex": (*SPEAKING, EchoChanged("auto", "half_duplex", vad=False)),
    "policy server": (*SPEAKING, VAD_ON, ruled("server")),
    "policy manual": (*MANUAL_SPEAKING, VAD_ON),
    "muted": (*SPEAKING, VAD_ON, Commanded(9, "m1", commands.Mute("on"))),
    "no session": (*SPEAKING, VAD_ON, LOST),
    "protected": (*LISTENING, VAD_ON, say(interruptible=False), *h.SPOKEN, *h.SAID),
    "by hand only": (*SPEAKING, VAD_ON, ruled("auto", "none"), UPDATED),
}


@pytest.mark.parametrize("why", NO_HOLD)
def test_voice_holds_nothing_where(why: str) -> None:
    conversation = after(*NO_HOLD[why])

    assert at(conversation, 10.0, VOICE, VoiceStopped(10.1)) == []


def test_policy_hold_needs_no_canceller_but_a_vad() -> None:
    conversation = after(*SPEAKING, EchoChanged("off", "off", vad=True), ruled("hold"))

    assert at(conversation, 10.0, VOICE)[0] == HoldPlayback()


GO_ON: dict[str, tuple[Input, ...]] = {
    "muted": (Commanded(9, "m1", commands.Mute("on")),),
    "link lost": (LOST,),
    "link failed": (LinkFailed("no", 600.0),),
    "link replaced": (LinkConnecting(1),),
    "policy server": (ruled("server"),),
    "policy manual": (ruled("manual"), UPDATED),
    "by hand only": (ruled("auto", "none"), UPDATED),
    "canceller failed": (EchoChanged("auto", "failed", vad=False, reason="lag"),),
    "the last of it was in the card": (h.done("r1"), drained(A1)),
}


@pytest.mark.parametrize("why", GO_ON)
def test_hold_ends_at_once_when(why: str) -> None:
    conversation = holding()

    told = at(conversation, 10.2, *GO_ON[why])

    assert told.count(ResumePlayback()) == 1
    assert ClearTimer(Timer.HOLD) in told
    assert conversation.interruption.hold is None
    assert conversation.interruption.counts.false_holds == 0


CUTS: dict[str, Input] = {
    "command": Commanded(5, "i1", commands.Interrupt()),
    "push_to_talk": h.talk("press"),
    "shutdown": ShutdownAsked("SIGTERM"),
    "device": DeviceChanged("output", "lost", "USB", lost_frames=100),
}


@pytest.mark.parametrize("cause", CUTS)
def test_hold_ends_with_a_cut_by(cause: Cause) -> None:
    conversation = holding()

    told = at(conversation, 10.2, CUTS[cause])
    assert [each.cause for each in told if isinstance(each, CutPlayback)] == [cause]
    assert ResumePlayback() not in told

    told = at(conversation, 10.2, Cut(replace(CUT_AT_505, silence_ms=0.0), cause))
    # It had been silent, and no voice decided this.
    assert interrupts(told) == [ipc.Interrupt(cause, "r1", "a1", 505, 495, 0.0, 0.0)]
    assert ClearTimer(Timer.HOLD) in told


GO_ON_HELD: dict[str, tuple[Input, ...]] = {
    "more of the answer": (events.AudioDelta(A1, SECOND), events.TextDelta("r1", "a1", "more", False)),
    "its end": (events.AudioDone(A1), h.done("r1")),
    "an ask": (h.ask(),),
    "a say": (say(),),
    "another duration": (ruled("auto", hold_ms=900),),
    "the canceller converging": (EchoChanged("auto", "converging", vad=True),),
}


@pytest.mark.parametrize("what", GO_ON_HELD)
def test_hold_is_not_ended_by(what: str) -> None:
    conversation = holding()

    told = at(conversation, 10.2, *GO_ON_HELD[what])

    assert ResumePlayback() not in told
    assert not [each for each in told if isinstance(each, CutPlayback)]
    assert at(conversation, 12.0, TimerFired(Timer.HOLD))[-1] == ResumePlayback()


def test_voice_just_before_the_end_of_an_answer_is_not_lost() -> None:
    """P26."""
    # It began 100 ms before the end; 40 ms are left when our own VAD is sure of it.
    conversation = after(*ANSWERED, VAD_ON)
    at(conversation, 10.0, VOICE, Held(A1, 965, 1000, 15.0))
    told = at(conversation, 10.2, SPEECH, Cut(heard((A1, 965, 1000)), "server_vad"))
    assert sent(told) == [events.TruncateItem("a1", 0, 965)]
    assert phase_of(conversation) == Hearing("u2")

    # Too late to hold anything: the answer drains, and the turn is a turn.
    conversation = after(*ANSWERED, VAD_ON)
    at(conversation, 10.0, VOICE, Held(None, 0, 0, 10.0), drained(A1))
    told = at(conversation, 10.2, SPEECH, Cut(NOTHING, "server_vad"))
    assert (sent(told), interrupts(told)) == ([], [])
    assert phase_of(conversation) == Hearing("u2")


def test_answers_that_wait_behind_a_held_one_are_dropped_with_it() -> None:
    conversation = holding(*ANSWERED, VAD_ON, h.ask(), events.ResponseCreated("r2", "q1"))
    at(conversation, 10.1, events.AudioDelta(h.B1, SECOND))

    told = at(conversation, 10.3, SPEECH, Cut(heard((A1, 505, 1000), (h.B1, 0, 1000)), "server_vad"))

    assert sent(told) == [events.TruncateItem("a1", 0, 505), events.DeleteItem("b1")]
    assert len(interrupts(told)) == 1


def test_durations_are_those_configured() -> None:
    conversation = after(*SPEAKING, VAD_ON, ruled("hold", hold_ms=400, hold_max_ms=1000))

    assert at(conversation, 10.0, VOICE) == [HoldPlayback(), set_timer(Timer.HOLD, 11.0)]
    assert at(conversation, 10.2, VoiceStopped(10.1)) == [set_timer(Timer.HOLD, 10.4)]


# --------------------------------------------------------------------------- latencies


def cut_by_speech(*history: Input, event: events.SpeechStarted = SPEECH) -> ipc.Interrupt:
    conversation = after(*SPEAKING, *history, now=9.95)
    told = at(conversation, 10.0, event, Cut(heard((A1, 505, 1000)), "server_vad"))
    return interrupts(told)[0]


def test_onset_is_null_only_while_our_own_vad_is_off() -> None:
    assert cut_by_speech().onset_to_decision_ms is None
    assert cut_by_speech(EchoChanged("auto", "failed", vad=False)).onset_to_decision_ms is None
    assert cut_by_speech(VAD_ON).onset_to_decision_ms == 0.0


def test_onset_is_that_of_our_own_vad() -> None:
    history = (VAD_ON, ruled("server"), VoiceStarted(9.9))

    assert cut_by_speech(*history).onset_to_decision_ms == 100.0
    assert cut_by_speech(*history, VoiceStopped(9.93)).onset_to_decision_ms == 100.0


def test_onset_before_our_own_vad_is_sure_is_the_servers_count() -> None:
    early = events.SpeechStarted("u2", 0, heard_at=9.94)

    server = (VAD_ON, ruled("server"))
    assert cut_by_speech(*server, event=early).onset_to_decision_ms == 60.0
    assert cut_by_speech(*server, VoiceStarted(9.9), event=early).onset_to_decision_ms == 100.0


@pytest.mark.parametrize("heard_at", [1.0, 10.5])
def test_onset_that_makes_no_sense_is_none(heard_at: float) -> None:
    told = cut_by_speech(VAD_ON, event=events.SpeechStarted("u2", 0, heard_at=heard_at))

    assert told.onset_to_decision_ms == 0.0


def test_voice_that_began_long_before_did_not_cause_the_cut() -> None:
    conversation = after(*LISTENING, VAD_ON, VoiceStarted(0.0), *SPEAKING[len(LISTENING) :])

    told = at(conversation, 10.0, SPEECH, Cut(heard((A1, 505, 1000)), "server_vad"))

    assert interrupts(told)[0].onset_to_decision_ms == 0.0


# ----------------------------------------------------------------------------- managed


def test_managed_leaves_creating_and_interrupting_to_us() -> None:
    conversation = after(*LISTENING, VAD_ON)
    told = at(conversation, 1.0, ruled("managed", ticket=5))

    assert sent(told) == [events.UpdateSession(replace(CONFIG, client_managed_turns=True), "change-2")]
    assert conversation.state.policy == "hold"
    assert [each["applied"] for each in replies(at(conversation, 1.1, UPDATED))] == ["now"]
    assert conversation.state.policy == "managed"


def test_back_from_managed_the_server_answers_again_from_its_word_on() -> None:
    conversation = after(*MANAGED, ruled("server"))

    assert conversation.state.policy == "managed"
    at(conversation, 1.0, UPDATED)
    assert conversation.state.policy == "server"
    assert sent(at(conversation, 1.0, *TURN)) == []


def test_turn_is_answered_by_our_own_request() -> None:
    conversation = after(*MANAGED)

    told = at(conversation, 1.0, *TURN)
    assert sent(told) == [events.CreateResponse("turn-2", None, events.TURN)]
    assert phase_of(conversation) == Awaiting()
    at(conversation, 1.1, *RESPONSE)
    assert phase_of(conversation) == Speaking("r1")


def test_turn_that_was_interrupted_before_it_was_committed_is_not_answered_and_the_next_question_is() -> None:
    conversation = after(*MANAGED, *TURN[:2])
    told = at(
        conversation, 1.0, Commanded(5, "i1", commands.Interrupt()), Cut(NOTHING, "command", 5), h.ask()
    )
    assert sent(told) == []

    told = at(conversation, 1.1, TURN[2])
    assert [each.request for each in sent(told) if isinstance(each, events.CreateResponse)] == ["q1"]


def test_request_that_meets_another_response_is_made_again() -> None:
    conversation = after(*MANAGED, *TURN)
    refused = events.ServerError("conversation_already_has_active_response", "wait", "turn-2")

    assert set_timer(Timer.ASK, 2.0) in at(conversation, 1.0, refused)
    assert sent(at(conversation, 2.0, TimerFired(Timer.ASK))) == [
        events.CreateResponse("turn-3", None, events.TURN)
    ]


def test_one_answer_for_all_that_was_said_before_it() -> None:
    conversation = after(*MANAGED, *TURN)
    at(conversation, 1.0, events.ServerError("conversation_already_has_active_response", "wait", "turn-2"))

    at(conversation, 1.1, SPEECH, *STOPPED)

    assert len(conversation.state.requests) + (conversation.state.requests.asking is not None) == 1


def test_speech_over_an_answer_is_known_by_its_length() -> None:
    conversation = holding(*MANAGED_SPEAKING)

    assert at(conversation, 10.1, SPEECH) == [set_timer(Timer.SPEECH, 10.5)]
    assert phase_of(conversation) == Speaking("r1")
    told = at(conversation, 10.5, TimerFired(Timer.SPEECH))
    assert [each for each in told if isinstance(each, CutPlayback)] == [CutPlayback("local_vad")]
    assert speeches(told) == [ipc.SpeechStarted("u2", 0, "server")]

    told = at(conversation, 10.5, Cut(CUT_AT_505, "local_vad"))
    assert sent(told) == [events.CancelResponse("r1"), events.TruncateItem("a1", 0, 505)]
    assert interrupts(told) == [ipc.Interrupt("local_vad", "r1", "a1", 505, 495, 100.0, 15.0)]
    at(conversation, 10.4, h.done("r1", "cancelled", reason="client_cancelled"))
    assert asks_for_a_turn(at(conversation, 11.0, *STOPPED))


def test_voice_that_the_server_does_not_hear_cuts_nothing() -> None:
    conversation = holding(*MANAGED_SPEAKING)

    assert at(conversation, 10.5, TimerFired(Timer.SPEECH)) == []
    assert at(conversation, 12.0, TimerFired(Timer.HOLD))[-1] == ResumePlayback()


def test_servers_late_word_for_a_voice_long_enough_cuts_at_once() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.5, TimerFired(Timer.SPEECH))

    assert CutPlayback("local_vad") in at(conversation, 10.6, SPEECH)


def test_cough_over_an_answer_is_deleted_and_the_answer_goes_on() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    told = at(conversation, 10.1, SPEECH)
    told += at(conversation, 10.3, VoiceStopped(10.2))
    told += at(conversation, 10.6, STOPPED[0])
    assert told[-1] == ResumePlayback()
    told += at(conversation, 10.6, RESUMED, STOPPED[1], events.UserTranscriptDone("u2", "uh"))

    assert sent(told) == [events.DeleteItem("u2")]
    assert published(told) == [ipc.Playback("a1", "resumed", 305)]
    assert conversation.history.get("u2") is None
    assert conversation.interruption.counts.false_holds == 1
    # And the answer is heard to its end.
    rest = at(conversation, 11.0, events.AudioDone(A1), h.done("r1"), drained(A1))
    assert sent(rest) == []
    assert phase_of(conversation) == Listening()


def test_cough_that_the_server_ends_late_is_deleted_all_the_same() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)
    at(conversation, 10.3, VoiceStopped(10.2))
    assert ResumePlayback() in at(conversation, 10.8, TimerFired(Timer.HOLD))

    assert sent(at(conversation, 11.0, *STOPPED)) == [events.DeleteItem("u2")]


def test_pauses_of_speech_do_not_make_it_a_cough() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)
    at(conversation, 10.3, VoiceStopped(10.2))

    (timer,) = [
        each for each in at(conversation, 10.5, VoiceStarted(10.45)) if each != set_timer(Timer.HOLD, 12.0)
    ]
    assert timer == set_timer(Timer.SPEECH, 10.75)


def test_speech_that_begins_again_within_one_utterance_of_the_servers_cuts() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)
    at(conversation, 10.3, VoiceStopped(10.2))
    at(conversation, 10.8, TimerFired(Timer.HOLD), RESUMED)

    assert at(conversation, 11.0, VoiceStarted(10.9))[0] == HoldPlayback()
    at(conversation, 11.0, Held(A1, 700, 1000, 15.0))
    assert CutPlayback("local_vad") in at(conversation, 11.5, TimerFired(Timer.SPEECH))


def test_our_own_words_are_an_echo_and_not_answered() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)

    told = at(conversation, 10.2, events.UserTranscriptDelta("u2", "Two three four"))
    # The server would go on with the same utterance; what is said next is to be one of its own.
    assert sent(told) == [events.ClearAudio()]
    assert told[-1] == ResumePlayback()
    assert sent(at(conversation, 10.6, *STOPPED)) == [events.DeleteItem("u2")]
    assert conversation.interruption.counts.echo_rejections == 1


def test_echo_that_is_understood_after_its_rejection_is_counted_once() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)
    at(conversation, 10.3, VoiceStopped(10.2))
    at(conversation, 10.6, *STOPPED)
    for text in ("two", "two three four", "two three four five"):
        at(conversation, 10.8, events.UserTranscriptDone("u2", text))

    assert conversation.interruption.counts.echo_rejections == 1


def test_without_a_vad_of_our_own_the_servers_word_holds_and_its_length_decides() -> None:
    history = (*MANAGED_SPEAKING, ECHO_OFF)
    conversation = after(*history)
    told = at(conversation, 10.0, SPEECH)
    assert told == [HoldPlayback(), set_timer(Timer.HOLD, 10.8), set_timer(Timer.SPEECH, 10.8)]
    at(conversation, 10.0, HELD)

    told = at(conversation, 10.8, TimerFired(Timer.HOLD))
    assert CutPlayback("server_vad") in told
    cut = interrupts(at(conversation, 10.8, Cut(CUT_AT_505, "server_vad")))
    assert cut == [ipc.Interrupt("server_vad", "r1", "a1", 505, 495, None, 15.0)]

    short = after(*history)
    at(short, 10.0, SPEECH, HELD)
    assert at(short, 10.6, STOPPED[0])[-1] == ResumePlayback()
    assert sent(at(short, 10.6, STOPPED[1])) == [events.DeleteItem("u2")]


def test_hold_that_ends_before_the_servers_word_is_certain_does_not_end_the_interruption() -> None:
    """As with a silence of the server's that is longer than usual."""
    conversation = after(*MANAGED_SPEAKING, ECHO_OFF)
    configuration = conversation.session.configuration
    configuration.config = replace(configuration.config, silence_ms=700)
    told = at(conversation, 10.0, SPEECH)
    assert told == [HoldPlayback(), set_timer(Timer.HOLD, 10.8), set_timer(Timer.SPEECH, 11.0)]
    at(conversation, 10.0, HELD)
    told = at(conversation, 10.8, TimerFired(Timer.HOLD))
    assert ResumePlayback() in told
    assert told[-1] == set_timer(Timer.SPEECH, 11.0)

    assert CutPlayback("server_vad") in at(conversation, 11.0, TimerFired(Timer.SPEECH))


def test_two_holds_for_nothing_are_not_followed_by_a_third_at_once() -> None:
    """What is played again after a hold may be just what the VAD took for a voice."""
    conversation = holding()
    for again in (10.0, 11.0):
        if again > 10.0:
            assert HoldPlayback() in at(conversation, again, VoiceStarted(again), HELD)
        at(conversation, again + 0.2, VoiceStopped(again + 0.1))
        assert ResumePlayback() in at(conversation, again + 0.8, TimerFired(Timer.HOLD))

    assert HoldPlayback() not in at(conversation, 12.0, VoiceStarted(11.95), VoiceStopped(12.0))
    # The server is believed all the same, and in the end so are we.
    assert HoldPlayback() in at(conversation, 15.9, VoiceStarted(15.85))
    later = after(*SPEAKING, VAD_ON)
    assert CutPlayback("server_vad") in at(later, 12.1, SPEECH)


def test_cough_before_the_answer_sounds_does_not_lose_it() -> None:
    """P17."""
    conversation = after(*MANAGED, *TURN)
    told = at(conversation, 10.0, VOICE, Held(None, 0, 0, 0.0), SPEECH)
    told += at(conversation, 10.1, *RESPONSE)
    told += at(conversation, 10.3, VoiceStopped(10.2), *STOPPED)

    assert HoldPlayback() in told
    assert ResumePlayback() in told
    assert sent(told) == [events.DeleteItem("u2")]
    assert speeches(told) == []
    assert phase_of(conversation) == Speaking("r1")


def test_speech_before_the_answer_sounds_is_one_turn_with_what_was_said_before() -> None:
    conversation = after(*MANAGED, *TURN)
    at(conversation, 10.0, VOICE, Held(None, 0, 0, 0.0), SPEECH)
    at(conversation, 10.5, TimerFired(Timer.SPEECH), Cut(NOTHING, "local_vad"))
    assert phase_of(conversation) == Hearing("u2")

    # The answer to the first half comes too late.
    assert sent(at(conversation, 10.4, RESPONSE[0])) == [events.CancelResponse("r1")]
    at(conversation, 10.5, h.done("r1", "cancelled"))
    assert asks_for_a_turn(at(conversation, 11.0, *STOPPED))


@pytest.mark.parametrize("vad", [VAD_ON, ECHO_OFF])
def test_voice_that_goes_on_when_the_answer_has_ended_is_a_turn(vad: Input) -> None:
    """P26: it began while the last of the answer was in the card."""
    conversation = after(*MANAGED_SPEAKING, vad)
    at(conversation, 9.8, events.AudioDone(A1), h.done("r1"))
    at(conversation, 10.0, VOICE, Held(None, 0, 0, 10.0), SPEECH)
    assert phase_of(conversation) == Speaking("r1", generating=False)

    told = at(conversation, 10.05, drained(A1))
    assert [type(each) for each in speeches(told)] == [ipc.SpeechStarted]
    assert phase_of(conversation) == Hearing("u2")
    at(conversation, 10.05, Cut(NOTHING, "server_vad"))
    assert conversation.interruption.hold is None
    assert asks_for_a_turn(at(conversation, 10.5, *STOPPED))


def test_cough_of_before_the_answers_end_is_none() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)
    at(conversation, 10.3, VoiceStopped(10.2))
    at(conversation, 10.8, TimerFired(Timer.HOLD), RESUMED, events.AudioDone(A1), h.done("r1"), drained(A1))

    assert sent(at(conversation, 11.0, *STOPPED)) == [events.DeleteItem("u2")]


@pytest.mark.parametrize(
    "what",
    [
        (Commanded(9, "m1", commands.Mute("on")),),
        (h.talk("press"), Cut(CUT_AT_505, "push_to_talk")),
        (LOST,),
        (ruled("managed", "none"), UPDATED),
    ],
)
def test_undecided_overlap_is_forgotten_with(what: tuple[Input, ...]) -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)
    at(conversation, 10.2, *what)

    told = at(conversation, 10.3, *STOPPED)

    assert not [each for each in sent(told) if isinstance(each, events.CreateResponse)]


def test_undecided_overlap_cuts_when_the_server_is_to_decide() -> None:
    conversation = holding(*MANAGED_SPEAKING)
    at(conversation, 10.1, SPEECH)

    assert CutPlayback("local_vad") in at(conversation, 10.2, ruled("server"), UPDATED)


# ------------------------------------------------------- a server that interrupts all the same

TELLS_ON = replace(UPDATED, client_managed_turns=False)
TELLS_OFF = replace(UPDATED, client_managed_turns=True)


@pytest.mark.parametrize("policy", ["managed", "manual"])
def test_policy_that_the_server_does_not_keep_is_refused_by_name(policy: PolicySetting) -> None:
    """P16."""
    conversation = after(*LISTENING)
    told = at(conversation, 1.0, ruled(policy, ticket=5), TELLS_ON)

    (refused,) = [each for each in told if isinstance(each, Refuse)]
    assert (refused.ticket, refused.code) == (5, "not_allowed")
    assert f"interruption.policy = {policy}" in refused.message
    assert conversation.state.policy == "server"
    # What else it took goes back.
    assert sent(told)[-1] == events.UpdateSession(CONFIG, "change-3")


def test_policy_that_a_new_server_does_not_keep_is_said_and_not_in_force() -> None:
    conversation = PlainConversation(
        replace(CONFIG, client_managed_turns=True), "custom", "m", InterruptionRules("managed")
    )
    told = effects_of(conversation, Begun(), LinkConnecting(0), h.CREATED, TELLS_ON)

    (error,) = [event for event in published(told) if isinstance(event, ipc.Error)]
    assert (error.code, error.details) == ("not_allowed", {"key": "interruption.policy"})
    assert "interruption.policy = managed" in error.message
    assert conversation.state.policy == "server"


def test_server_that_interrupts_though_it_said_it_would_not_is_found_out() -> None:
    conversation = after(*MANAGED_SPEAKING)
    told = at(conversation, 10.0, h.done("r1", "cancelled", reason="turn_detected"))

    (error,) = [event for event in published(told) if isinstance(event, ipc.Error)]
    assert error.details == {"key": "interruption.policy"}
    assert conversation.state.policy == "server"


def test_server_that_keeps_the_policy_is_believed() -> None:
    conversation = after(*LISTENING, ruled("managed"), TELLS_OFF)

    assert conversation.state.policy == "managed"


# ------------------------------------------------------------------------------ manual


def test_manual_speech_over_an_answer_is_answered_when_that_has_drained() -> None:
    conversation = after(*MANUAL_SPEAKING, VAD_ON)
    told = at(conversation, 10.0, VOICE, SPEECH)
    assert phase_of(conversation) == Hearing("u2")
    told += at(conversation, 10.5, events.AudioDone(A1), h.done("r1"))
    told += at(conversation, 11.0, *STOPPED)
    assert phase_of(conversation) == Speaking("r1", generating=False)

    assert not [each for each in told if isinstance(each, CutPlayback | HoldPlayback)]
    assert sent(told) == []
    assert [type(each) for each in speeches(told)] == [ipc.SpeechStarted, ipc.SpeechStopped]
    assert asks_for_a_turn(at(conversation, 12.0, drained(A1)))


def test_manual_answer_that_drains_while_the_user_speaks_is_followed_by_one_to_all_of_it() -> None:
    conversation = after(*MANUAL_SPEAKING)
    told = at(conversation, 10.0, SPEECH, *STOPPED, events.SpeechStarted("u3", 0))
    told += at(conversation, 11.0, events.AudioDone(A1), h.done("r1"), drained(A1))
    assert sent(told) == []

    told = at(conversation, 12.0, events.SpeechStopped("u3", 0), events.Committed("u3", "u2"))
    assert asks_for_a_turn(told)


def test_manual_answer_begins_although_the_user_speaks() -> None:
    conversation = after(*MANUAL, *TURN, SPEECH)

    assert sent(at(conversation, 1.0, *RESPONSE)) == []
    assert conversation.sounding == A1
    assert phase_of(conversation) == Hearing("u2")


@pytest.mark.parametrize("how", ["command", "push_to_talk"])
def test_manual_is_interrupted_by_hand(how: Cause) -> None:
    conversation = after(*MANUAL_SPEAKING)
    at(conversation, 10.0, SPEECH)

    told = at(conversation, 10.1, CUTS[how])
    assert [each.cause for each in told if isinstance(each, CutPlayback)] == [how]
    told = at(conversation, 10.1, Cut(CUT_AT_505, how, 5))
    assert sent(told) == [events.CancelResponse("r1"), events.TruncateItem("a1", 0, 505)]


# ---------------------------------------------------------------------------- protection

PROTECTED = (*LISTENING, VAD_ON, say(interruptible=False), *h.SPOKEN, *h.SAID)
SAID_WHOLE: tuple[Input, ...] = (
    events.AudioDone(A1),
    events.TextDone("r1", "a1", "Dinner is ready.", False),
    h.done("r1"),
)


def test_protected_say_is_not_cut_and_the_servers_answer_queues_behind() -> None:
    conversation = after(*PROTECTED, *SAID_WHOLE)
    told = at(conversation, 10.0, VOICE, events.SpeechStarted("u1", 0))
    told += at(conversation, 11.0, events.SpeechStopped("u1", 900), events.Committed("u1", None))
    told += at(conversation, 11.1, events.ResponseCreated("r2", None), events.AudioDelta(h.B1, SECOND))
    told += at(conversation, 12.0, drained(A1))

    assert not [each for each in told if isinstance(each, CutPlayback | HoldPlayback)]
    assert not [each for each in sent(told) if isinstance(each, events.CancelResponse)]
    assert phase_of(conversation) == Speaking("r2")


def test_servers_answer_that_comes_while_more_of_a_protected_say_is_to_come_is_asked_for_after_it() -> None:
    conversation = after(*PROTECTED)
    at(conversation, 10.0, events.SpeechStarted("u1", 0))
    at(conversation, 11.0, events.SpeechStopped("u1", 900), events.Committed("u1", None))

    told = at(conversation, 11.1, events.ResponseCreated("r2", None))
    assert sent(told) == [events.CancelResponse("r2")]
    told = at(conversation, 12.0, h.done("r2", "cancelled"), *SAID_WHOLE)
    assert not [each for each in sent(told) if isinstance(each, events.CreateResponse)]
    told = at(conversation, 13.0, drained(A1))
    assert isinstance(sent(told)[-1], events.CreateResponse)


def test_protected_say_waits_until_all_else_is_silent() -> None:
    conversation = after(*ANSWERED)

    assert sent(at(conversation, 1.0, say(interruptible=False))) == []
    assert sent(at(conversation, 2.0, drained(A1))) == [
        events.CreateSpeech("say-2", "q1", "Dinner is ready.")
    ]


def test_protection_ends_with_the_say_and_whoever_speaks_then_has_the_floor() -> None:
    conversation = after(*PROTECTED, *SAID_WHOLE, h.ask(), events.ResponseCreated("r2", "q1"))
    at(conversation, 9.0, events.AudioDelta(h.B1, SECOND))
    at(conversation, 10.0, events.SpeechStarted("u1", 0))

    told = at(conversation, 11.0, drained(A1))

    # What waits behind is not protected.
    assert [each for each in told if isinstance(each, CutPlayback)] == [CutPlayback("server_vad")]
    assert ClearTimer(Timer.PROTECTED) in told


def test_protection_ends_by_itself() -> None:
    conversation = after(*LISTENING, VAD_ON, say(interruptible=False))
    told = at(conversation, 5.0, *h.SPOKEN)
    assert set_timer(Timer.PROTECTED, 5.0 + PROTECTED_S) in told
    at(conversation, 6.0, *h.SAID, events.SpeechStarted("u1", 0))

    told = at(conversation, 65.0, TimerFired(Timer.PROTECTED))

    assert [each for each in told if isinstance(each, CutPlayback)] == [CutPlayback("server_vad")]
    assert sent(at(conversation, 65.0, Cut(heard((A1, 505, 1000)), "server_vad"))) == [
        events.CancelResponse("r1"),
        events.CreateItem("said_1", "assistant", "Dinner", None),
    ]


@pytest.mark.parametrize("how", ["command", "push_to_talk"])
def test_protected_say_is_interrupted_by_hand(how: Cause) -> None:
    conversation = after(*PROTECTED)

    told = at(conversation, 10.0, CUTS[how])
    assert [each.cause for each in told if isinstance(each, CutPlayback)] == [how]
    told = at(conversation, 10.0, Cut(heard((A1, 505, 1000)), how, 5))
    assert interrupts(told)[0].cause == how
    assert not conversation.state.responses.protected


def test_ordinary_say_is_cut_as_ever() -> None:
    conversation = after(*LISTENING, say(), *h.SPOKEN, *h.SAID)

    assert at(conversation, 10.0, events.SpeechStarted("u1", 0))[0] == CutPlayback("server_vad")


# ----------------------------------------------------------------------------- the echo


def test_echo_is_published_and_kept() -> None:
    conversation = after(*LISTENING)
    changed = EchoChanged("auto", "on", vad=True, lag_ms=42.0, erle_db=18.5, reason=None)

    assert published(at(conversation, 1.0, changed)) == [ipc.Echo("auto", "on", 42.0, 18.5, None)]
    assert conversation.state.echo == changed
    assert conversation.state.policy == "hold"
