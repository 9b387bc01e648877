"""Turns and cuts: what the conversation does about what happens."""

from __future__ import annotations

import pytest

from rtvoiced.audio.events import DeviceChanged, Started
from rtvoiced.conversation.effects import (
    ClearTimer,
    CutPlayback,
    FinishPart,
    FinishResponse,
    Play,
    Publish,
    Quit,
    SendEvent,
)
from rtvoiced.conversation.inputs import Commanded, Cut, Input, ShutdownAsked, TimerFired
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.timers import CANCELLED_S, DELTA_S, HEARING_S, RESPONSE_S, Timer
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from support.histories import (
    A1,
    A2,
    ANSWERED,
    AWAITING,
    B1,
    DRAINED,
    HEARING,
    LISTENING,
    NO_CUT,
    NOTHING,
    SECOND,
    SPEAKING,
    TEXT,
    THINKING,
    after,
    ask,
    done,
    drained,
    effects_of,
    heard,
    phase_of,
    published,
    replies,
    sent,
    set_timer,
    state,
)

INTERRUPT = Commanded(5, "i1", commands.Interrupt())
SPEECH = events.SpeechStarted("u2", 5000)
BY_VOICE = Cut(heard((A1, 400, 1000)), "server_vad")
BY_COMMAND = Cut(heard((A1, 400, 1000)), "command", 5, "i1")
CUT = (*SPEAKING, SPEECH, BY_VOICE)
"""The user has spoken into r1, of which the server's response.done is not here yet."""
FORTY_PERCENT = ipc.AssistantTranscript("r1", "a1", TEXT, "one two three four", True, True)


# ---------------------------------------------------------------------- a turn


def test_speech_opens_an_utterance_and_silences_whatever_sounds() -> None:
    conversation = after(*LISTENING)

    assert conversation.handle(events.SpeechStarted("u1", 100), now=1.0) == [
        CutPlayback("server_vad"),
        ClearTimer(Timer.RESPONSE_CREATED),
        set_timer(Timer.HEARING, 1.0 + HEARING_S),
        Publish(ipc.SpeechStarted("u1", 100, "server")),
        state("hearing"),
    ]


def test_end_of_speech_waits_for_the_answer() -> None:
    conversation = after(*HEARING)

    assert conversation.handle(events.SpeechStopped("u1", 900), now=1.0) == [
        ClearTimer(Timer.HEARING),
        set_timer(Timer.RESPONSE_CREATED, 1.0 + RESPONSE_S),
        Publish(ipc.SpeechStopped("u1", 900, "server", "silence")),
        state("thinking"),
    ]


def test_response_is_accepted_and_watched() -> None:
    conversation = after(*AWAITING)

    assert conversation.handle(events.ResponseCreated("r1", None), now=1.0) == [
        ClearTimer(Timer.RESPONSE_CREATED),
        set_timer(Timer.DELTA, 1.0 + DELTA_S),
        Publish(ipc.ResponseCreated("r1")),
    ]


def test_audio_is_played_as_it_comes() -> None:
    conversation = after(*THINKING)

    assert conversation.handle(events.AudioDelta(A1, SECOND), now=1.0) == [
        Play(A1, SECOND, 24_000),
        Publish(ipc.AudioArrived("r1", "a1", len(SECOND), 1000)),
        set_timer(Timer.DELTA, 1.0 + DELTA_S),
        state("speaking"),
    ]


def test_all_audio_of_a_part_is_told_to_the_speaker() -> None:
    assert after(*SPEAKING).handle(events.AudioDone(A1), now=1.0) == [FinishPart(A1)]


def test_answer_is_not_over_while_it_sounds() -> None:
    conversation = after(*ANSWERED[:-1])

    assert conversation.handle(done("r1"), now=1.0) == [
        FinishResponse("r1"),
        Publish(ipc.ResponseDone("r1", "completed")),
        ClearTimer(Timer.DELTA),
    ]
    assert conversation.phase == Speaking("r1", generating=False)


def test_answer_is_over_when_it_has_drained() -> None:
    conversation = after(*ANSWERED)

    assert conversation.handle(drained(A1), now=1.0) == [
        Publish(ipc.Playback("a1", "drained", 1000)),
        Publish(ipc.AssistantTranscript("r1", "a1", TEXT, TEXT, False, False)),
        state("listening"),
    ]


def test_listener_is_told_when_an_item_begins_to_sound() -> None:
    assert after(*SPEAKING).handle(Started(A1), now=1.0) == [Publish(ipc.Playback("a1", "started", 0))]


def test_answer_that_drains_early_is_still_being_made() -> None:
    conversation = after(*SPEAKING, events.AudioDone(A1), drained(A1))

    assert conversation.phase == Thinking("r1")


def test_words_of_an_answer_are_told_once_they_are_known_and_heard() -> None:
    conversation = after(*SPEAKING, events.AudioDone(A1), drained(A1))

    assert published(conversation.handle(events.TextDone("r1", "a1", "One.", False), now=1.0)) == [
        ipc.AssistantTranscript("r1", "a1", "One.", "One.", False, False)
    ]


def test_written_answer_needs_no_speaker() -> None:
    written = (events.TextDelta("r1", "a1", "Ten.", True), events.TextDone("r1", "a1", "Ten.", True))

    assert published(effects_of(after(*THINKING), *written)) == [
        ipc.Delta("r1", "a1", "Ten."),
        ipc.AssistantTranscript("r1", "a1", "Ten.", "Ten.", False, False),
    ]


def test_next_answer_queues_behind_one_that_still_sounds() -> None:
    conversation = after(*ANSWERED, ask(), events.ResponseCreated("r2", "q1"))

    assert conversation.phase == Thinking("r2")
    assert Play(B1, SECOND, 24_000) in conversation.handle(events.AudioDelta(B1, SECOND), now=1.0)
    conversation.handle(drained(A1, idle=False), now=1.0)
    assert phase_of(conversation) == Speaking("r2", generating=True)


def test_silence_reported_late_does_not_end_what_was_queued_since() -> None:
    conversation = after(
        *ANSWERED, ask(), events.ResponseCreated("r2", "q1"), events.AudioDelta(B1, SECOND), drained(A1)
    )

    assert conversation.phase == Speaking("r2")


def test_cough_before_the_answer_begins_leaves_the_answer_to_the_next_silence() -> None:
    cough = (events.SpeechStarted("u2", 950), NO_CUT, events.SpeechStopped("u2", 990))
    conversation = after(*AWAITING, *cough, events.ResponseCreated("r1", None))

    assert conversation.phase == Thinking("r1")


def test_second_onset_without_an_end_of_speech_ends_the_first() -> None:
    assert published(after(*HEARING).handle(SPEECH, now=1.0)) == [
        ipc.SpeechStopped("u1", 5000, "server", "silence"),
        ipc.SpeechStarted("u2", 5000, "server"),
    ]


def test_onset_told_twice_is_one_utterance() -> None:
    assert after(*HEARING).handle(events.SpeechStarted("u1", 100), now=1.0) == []


def test_utterance_that_is_committed_has_ended() -> None:
    conversation = after(*HEARING)

    assert published(conversation.handle(events.Committed("u1", None), now=1.0)) == [
        ipc.SpeechStopped("u1", None, "server", "silence")
    ]
    assert conversation.phase == Awaiting()


def test_server_without_response_created_is_understood() -> None:
    conversation = after(*AWAITING)

    assert published(conversation.handle(events.OutputItemAdded("r1", "a1", "message"), now=1.0)) == [
        ipc.ResponseCreated("r1")
    ]
    assert Play(A1, SECOND, 24_000) in conversation.handle(events.AudioDelta(A1, SECOND), now=1.0)


def test_transcript_without_a_response_is_of_the_answer_that_is_made() -> None:
    assert published(after(*THINKING).handle(events.TextDelta("", "a1", "Ten", False), now=1.0)) == [
        ipc.Delta("r1", "a1", "Ten")
    ]


def test_failed_answer_is_an_error_that_names_its_request() -> None:
    conversation = after(*LISTENING, ask(), events.ResponseCreated("r1", "q1"))
    failed = done("r1", "failed", error_code="rate_limit_exceeded", error_message="slow down")

    assert published(conversation.handle(failed, now=1.0)) == [
        ipc.ResponseDone("r1", "failed", "rate_limit_exceeded", None, "q1"),
        ipc.Error("rate_limited", "slow down", True, {"request": "q1", "server_code": "rate_limit_exceeded"}),
    ]
    assert conversation.phase == Listening()


def test_words_that_never_sounded_were_not_heard() -> None:
    conversation = after(*THINKING, events.TextDelta("r1", "a1", "One two", False))

    assert published(conversation.handle(done("r1", "cancelled", reason="turn_detected"), now=1.0)) == [
        ipc.AssistantTranscript("r1", "a1", "One two", "", False, True),
        ipc.ResponseDone("r1", "cancelled", "turn_detected"),
    ]


def test_answer_that_never_ends_is_over_when_the_next_begins() -> None:
    conversation = after(*SPEAKING)

    assert published(conversation.handle(events.ResponseCreated("r2", None), now=1.0)) == [
        ipc.ResponseDone("r1", "incomplete", "superseded"),
        ipc.ResponseCreated("r2"),
    ]


def test_end_that_comes_after_we_gave_up_is_not_told_again() -> None:
    conversation = after(*SPEAKING, TimerFired(Timer.DELTA))

    assert published(conversation.handle(done("r1", "cancelled"), now=1.0)) == []


# ------------------------------------------------------------------ the cut


def test_server_is_told_what_was_heard_of_a_cut_answer_and_cancels_it_by_itself() -> None:
    conversation = after(*SPEAKING, SPEECH)

    assert conversation.handle(BY_VOICE, now=1.0) == [
        set_timer(Timer.DELTA, 1.0 + CANCELLED_S),
        SendEvent(events.TruncateItem("a1", 0, 400)),
        Publish(FORTY_PERCENT),
        Publish(ipc.Interrupt("server_vad", "r1", "a1", 400, 600, None, 15.0)),
    ]
    assert conversation.phase == Hearing("u2")


def test_tail_of_an_interrupted_answer_is_not_played() -> None:
    assert after(*CUT).handle(events.AudioDelta(A1, SECOND), now=1.0) == []


def test_words_of_an_interrupted_answer_that_come_late_are_not_told() -> None:
    late = (events.TextDelta("r1", "a1", "eleven", False), events.TextDone("r1", "a1", TEXT, False))

    assert effects_of(after(*CUT), *late) == []


def test_item_that_is_announced_after_the_cut_is_deleted() -> None:
    assert after(*CUT).handle(events.OutputItemAdded("r1", "a2", "message"), now=1.0) == [
        SendEvent(events.DeleteItem("a2"))
    ]


def test_item_that_is_announced_after_we_gave_up_is_deleted() -> None:
    conversation = after(*THINKING, TimerFired(Timer.DELTA))

    assert conversation.handle(events.OutputItemAdded("r1", "a1", "message"), now=31.0) == [
        SendEvent(events.DeleteItem("a1"))
    ]


def test_answer_after_an_interrupted_one_is_played_whole() -> None:
    conversation = after(*CUT, done("r1", "cancelled"), events.SpeechStopped("u2", 6000))
    conversation.handle(events.ResponseCreated("r2", None), now=1.0)

    assert Play(B1, SECOND, 24_000) in conversation.handle(events.AudioDelta(B1, SECOND), now=1.0)


def test_cut_after_the_server_has_sent_everything_cancels_nothing() -> None:
    for speech_or_command in ((SPEECH, BY_VOICE), (INTERRUPT, BY_COMMAND)):
        assert sent(effects_of(after(*ANSWERED), *speech_or_command)) == [events.TruncateItem("a1", 0, 400)]


def test_speech_after_the_answer_was_heard_corrects_nothing() -> None:
    assert effects_of(after(*DRAINED, SPEECH), NO_CUT) == []


def test_command_cancels_by_id_then_truncates() -> None:
    conversation = after(*SPEAKING, INTERRUPT)

    assert conversation.handle(BY_COMMAND, now=1.0)[:3] == [
        SendEvent(events.CancelResponse("r1")),
        set_timer(Timer.DELTA, 1.0 + CANCELLED_S),
        SendEvent(events.TruncateItem("a1", 0, 400)),
    ]
    assert conversation.phase == Listening()


def test_item_of_which_nothing_was_heard_is_deleted() -> None:
    nothing = Cut(heard((A1, 0, 1000)), "server_vad")

    assert effects_of(after(*SPEAKING, SPEECH), nothing) == [
        set_timer(Timer.DELTA, 1.0 + CANCELLED_S),
        SendEvent(events.DeleteItem("a1")),
        Publish(ipc.AssistantTranscript("r1", "a1", TEXT, "", False, True)),
        Publish(ipc.Interrupt("server_vad", "r1", "a1", 0, 1000, None, 15.0)),
    ]


def test_cut_before_the_transcript_has_come_knows_no_words() -> None:
    conversation = after(*THINKING, events.AudioDelta(A1, SECOND), SPEECH)

    assert sent(conversation.handle(BY_VOICE, now=1.0)) == [events.TruncateItem("a1", 0, 400)]


def test_item_announced_and_not_begun_is_deleted_at_the_cut() -> None:
    conversation = after(*SPEAKING, events.OutputItemAdded("r1", "a2", "message"), SPEECH)

    assert sent(conversation.handle(BY_VOICE, now=1.0)) == [
        events.TruncateItem("a1", 0, 400),
        events.DeleteItem("a2"),
    ]


def test_second_item_that_nobody_heard_is_deleted() -> None:
    conversation = after(*SPEAKING, events.AudioDelta(A2, SECOND), SPEECH)
    both = Cut(heard((A1, 400, 1000), (A2, 0, 1000)), "server_vad")

    assert sent(conversation.handle(both, now=1.0)) == [
        events.TruncateItem("a1", 0, 400),
        events.DeleteItem("a2"),
    ]


def test_item_handed_to_the_card_in_whole_was_heard_and_is_not_corrected() -> None:
    two = (events.AudioDone(A1), events.TextDone("r1", "a1", TEXT, False), events.AudioDelta(A2, SECOND))
    conversation = after(*SPEAKING, *two, SPEECH)
    second = Cut(heard((A2, 10, 1000)), "server_vad")
    told = conversation.handle(second, now=1.0)

    assert sent(told) == [events.TruncateItem("a2", 0, 10)]
    assert ipc.AssistantTranscript("r1", "a1", TEXT, TEXT, False, False) in published(told)
    assert published(conversation.handle(drained(A1), now=1.0)) == [ipc.Playback("a1", "drained", 1000)]


def test_second_content_part_is_truncated_by_its_own_index() -> None:
    more = Part("r1", "a1", 1)
    conversation = after(
        *ANSWERED[:-1], events.AudioDelta(more, SECOND), drained(A1, idle=False), done("r1"), SPEECH
    )
    second = Cut(heard((more, 300, 1000)), "server_vad")

    assert sent(conversation.handle(second, now=1.0)) == [events.TruncateItem("a1", 1, 300)]


def test_cut_silences_the_sounding_answer_and_the_one_queued_behind() -> None:
    conversation = after(
        *ANSWERED, ask(), events.ResponseCreated("r2", "q1"), events.AudioDelta(B1, SECOND), INTERRUPT
    )
    both = Cut(heard((A1, 400, 1000), (B1, 0, 1000)), "command", 5, "i1")

    assert sent(conversation.handle(both, now=1.0)) == [
        events.CancelResponse("r2"),
        events.TruncateItem("a1", 0, 400),
        events.DeleteItem("b1"),
    ]
    assert conversation.handle(events.AudioDelta(B1, SECOND), now=1.0) == []


def test_cut_while_the_next_answer_is_thought_out_ends_both() -> None:
    conversation = after(*ANSWERED, ask(), events.ResponseCreated("r2", "q1"), INTERRUPT)

    assert sent(conversation.handle(BY_COMMAND, now=1.0)) == [
        events.CancelResponse("r2"),
        events.TruncateItem("a1", 0, 400),
    ]


def test_second_cut_within_the_fade_does_nothing_more() -> None:
    conversation = after(*SPEAKING, INTERRUPT, BY_COMMAND, INTERRUPT)

    assert sent(conversation.handle(Cut(NOTHING, "command", 6), now=1.05)) == []


def test_voice_right_after_a_command_does_not_cancel_again() -> None:
    assert sent(effects_of(after(*SPEAKING, INTERRUPT, BY_COMMAND), SPEECH, NO_CUT)) == []


def test_response_that_begins_while_the_user_speaks_is_cancelled() -> None:
    conversation = after(*HEARING)

    assert sent(conversation.handle(events.ResponseCreated("r1", None), now=1.0)) == [
        events.CancelResponse("r1")
    ]
    assert conversation.handle(events.AudioDelta(A1, SECOND), now=1.0) == []
    assert conversation.phase == Hearing("u1")


def test_cancelled_answer_without_an_end_is_over_after_a_while() -> None:
    conversation = after(*SPEAKING, INTERRUPT, BY_COMMAND)

    assert published(conversation.handle(TimerFired(Timer.DELTA), now=6.0)) == [
        ipc.ResponseDone("r1", "cancelled", "timeout")
    ]


def test_audio_after_the_end_of_its_answer_is_not_played() -> None:
    assert after(*DRAINED).handle(events.AudioDelta(A1, SECOND), now=1.0) == []


# ------------------------------------------------------------- rtctl interrupt

INTERRUPTIONS: list[tuple[str, tuple[Input, ...], Cut, dict[str, object]]] = [
    ("nothing to interrupt", LISTENING, Cut(NOTHING, "command", 5), {"interrupted": False}),
    ("the user speaks", HEARING, Cut(NOTHING, "command", 5), {"interrupted": False}),
    ("an answer is awaited", AWAITING, Cut(NOTHING, "command", 5), {"interrupted": True}),
    ("an ask is awaited", (*LISTENING, ask()), Cut(NOTHING, "command", 5), {"interrupted": True}),
    ("not yet audible", THINKING, Cut(NOTHING, "command", 5), {"interrupted": True}),
    (
        "queued and not begun",
        SPEAKING,
        Cut(heard((A1, 0, 1000)), "command", 5),
        {"interrupted": True, "dropped_ms": 1000},
    ),
    (
        "audible",
        SPEAKING,
        BY_COMMAND,
        {"interrupted": True, "item_id": "a1", "played_ms": 400, "dropped_ms": 600},
    ),
    (
        "audible and all sent",
        ANSWERED,
        BY_COMMAND,
        {"interrupted": True, "item_id": "a1", "played_ms": 400, "dropped_ms": 600},
    ),
    ("all in the card", ANSWERED, Cut(NOTHING, "command", 5), {"interrupted": False}),
]


@pytest.mark.parametrize(
    ("history", "cut", "reply"), [row[1:] for row in INTERRUPTIONS], ids=[row[0] for row in INTERRUPTIONS]
)
def test_interrupt_says_what_it_did(history: tuple[Input, ...], cut: Cut, reply: dict[str, object]) -> None:
    conversation = after(*history)

    assert conversation.handle(INTERRUPT, now=1.0) == [CutPlayback("command", 5, "i1")]
    nothing = {"item_id": None, "played_ms": 0, "dropped_ms": 0}
    assert replies(conversation.handle(cut, now=1.0)) == [nothing | reply]


def test_awaited_answer_that_was_interrupted_is_cancelled_once_it_has_an_id() -> None:
    conversation = after(*AWAITING, INTERRUPT, Cut(NOTHING, "command", 5))

    assert conversation.phase == Listening()
    assert sent(conversation.handle(events.ResponseCreated("r1", None), now=1.0)) == [
        events.CancelResponse("r1")
    ]
    assert sent(conversation.handle(events.ResponseCreated("r2", None), now=1.0)) == []


def test_interrupting_an_awaited_answer_does_not_cost_the_next_turn() -> None:
    conversation = after(*AWAITING, INTERRUPT, Cut(NOTHING, "command", 5), SPEECH, NO_CUT)
    conversation.handle(events.SpeechStopped("u2", 6000), now=1.0)

    conversation.handle(events.ResponseCreated("r2", None), now=1.0)
    assert conversation.phase == Thinking("r2")


def test_answer_that_was_interrupted_and_never_begins_is_forgotten() -> None:
    conversation = after(*AWAITING, INTERRUPT, Cut(NOTHING, "command", 5), TimerFired(Timer.RESPONSE_CREATED))
    conversation.handle(events.ResponseCreated("r9", None), now=20.0)

    assert conversation.phase == Thinking("r9")


# ------------------------------------------------------------------- timeouts


def test_server_that_begins_no_answer_is_waited_for_no_longer() -> None:
    conversation = after(*AWAITING)

    assert conversation.handle(TimerFired(Timer.RESPONSE_CREATED), now=15.0) == [
        Publish(ipc.Error("timeout", "the server began no answer within 15 s", retryable=True)),
        state("listening"),
    ]


def test_answer_that_stands_still_is_given_up() -> None:
    conversation = after(*THINKING)

    assert conversation.handle(TimerFired(Timer.DELTA), now=30.0) == [
        Publish(ipc.Error("timeout", "the server's answer stood still for 30 s", retryable=True)),
        FinishResponse("r1"),
        Publish(ipc.ResponseDone("r1", "failed", "timeout")),
        SendEvent(events.CancelResponse("r1")),
        state("listening"),
    ]


def test_speech_without_an_end_is_discarded() -> None:
    conversation = after(*HEARING)

    assert conversation.handle(TimerFired(Timer.HEARING), now=120.0) == [
        Publish(ipc.Error("timeout", "the server heard speech for 120 s", retryable=True)),
        ClearTimer(Timer.HEARING),
        SendEvent(events.ClearAudio()),
        Publish(ipc.SpeechStopped("u1", None, "server", "timeout")),
        state("listening"),
    ]


# ---------------------------------------------------------- devices, the end


def test_lost_speaker_cuts_with_what_its_buffer_held() -> None:
    conversation = after(*SPEAKING)
    gone = DeviceChanged("output", "lost", "USB PnP", lost_frames=480)

    assert conversation.handle(gone, now=1.0) == [
        CutPlayback("device", lost_frames=480),
        Publish(ipc.Device("output", "USB PnP", "lost")),
        state("speaking", output="lost"),
    ]
    told = conversation.handle(Cut(heard((A1, 380, 1000)), "device"), now=1.0)
    assert sent(told) == [events.CancelResponse("r1"), events.TruncateItem("a1", 0, 380)]
    assert told[-1] == state("listening", output="lost")


def test_lost_speaker_cuts_nothing_while_nothing_sounds() -> None:
    assert after(*LISTENING).handle(DeviceChanged("output", "lost", "USB PnP"), now=1.0) == [
        Publish(ipc.Device("output", "USB PnP", "lost")),
        state("listening", output="lost"),
    ]


def test_lost_microphone_leaves_the_utterance_to_the_servers_silence() -> None:
    conversation = after(*HEARING, DeviceChanged("input", "lost", "USB PnP"))

    assert conversation.phase == Hearing("u1")


def test_shutdown_while_speaking_corrects_the_item_and_asks_nothing_more() -> None:
    conversation = after(*SPEAKING, ask(), ShutdownAsked("SIGTERM"))

    assert sent(conversation.handle(Cut(heard((A1, 400, 1000)), "shutdown"), now=1.0)) == [
        events.CancelResponse("r1"),
        events.TruncateItem("a1", 0, 400),
    ]
    assert sent(conversation.handle(done("r1", "cancelled"), now=1.0)) == []


def test_shutdown_while_speaking_falls_silent_then_quits() -> None:
    assert after(*ANSWERED).handle(ShutdownAsked("SIGTERM"), now=1.0) == [
        CutPlayback("shutdown"),
        Quit("SIGTERM"),
    ]


def test_shutdown_ends_an_open_utterance() -> None:
    assert after(*HEARING).handle(ShutdownAsked("stop"), now=1.0) == [
        Publish(ipc.SpeechStopped("u1", None, "server", "cancel")),
        Quit("stop"),
        state("listening"),
    ]


def test_user_is_told_of_a_failed_transcription() -> None:
    failed = events.UserTranscriptFailed("u1", "too noisy")

    assert published(after(*AWAITING).handle(failed, now=1.0)) == [
        ipc.Error("internal", "transcription failed: too noisy", details={"item_id": "u1"})
    ]


def test_transcript_may_run_while_the_user_still_speaks() -> None:
    assert published(after(*HEARING).handle(events.UserTranscriptDelta("u1", "Cou"), now=1.0)) == [
        ipc.UserTranscript("u1", "Cou", False)
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("response_cancel_not_active", "Cancellation failed: no active response found"),
        ("invalid_value", "Audio content of 840ms is already shorter than 900ms"),
        (None, "Only model output audio messages can be truncated"),
        ("item_delete_invalid_item_id", "the item does not exist"),
    ],
)
def test_error_without_harm_is_not_told(code: str | None, message: str) -> None:
    conversation = after(*SPEAKING)

    assert conversation.handle(events.ServerError(code, message), now=1.0) == []
    assert conversation.phase == Speaking("r1")


def test_errors_of_the_server_are_told_and_end_nothing() -> None:
    conversation = after(*SPEAKING)

    assert conversation.handle(events.ServerError("server_error", "oops"), now=1.0) == [
        Publish(ipc.Error("internal", "oops", True, {"server_code": "server_error"}))
    ]
    assert conversation.phase == Speaking("r1")


def test_speech_from_before_a_mute_silences_the_answer_that_it_ended_at_the_server() -> None:
    conversation = after(*SPEAKING, Commanded(9, "m1", commands.Mute("on")))

    assert conversation.handle(events.SpeechStarted("u2", 5), now=1.0) == [
        CutPlayback("server_vad"),
        SendEvent(events.ClearAudio()),
    ]
