"""`say`: out of band, one thing speaks at a time, and what was heard of it stands in the conversation."""

from __future__ import annotations

from rtvoiced.conversation.effects import Play, Refuse, ReplyTo, SendEvent
from rtvoiced.conversation.inputs import Commanded, Cut, Input, TimerFired
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.timers import RESPONSE_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import HistoryItem, HistoryReply, QueuedReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting
from support.histories import (
    A1,
    ANSWERED,
    AWAITING,
    B1,
    DRAINED,
    HEARING,
    LISTENING,
    LOST,
    NO_CUT,
    NOTHING,
    SAID,
    SAYING,
    SECOND,
    SPEAKING,
    THINKING,
    UPDATED,
    after,
    ask,
    done,
    drained,
    effects_of,
    heard,
    published,
    say,
    sent,
    set_timer,
    state,
)

TEXT = "Dinner is ready."
SPEECH: tuple[Input, ...] = (events.SpeechStarted("u2", 100), NO_CUT)
TURN: tuple[Input, ...] = (*SPEECH, events.SpeechStopped("u2", 900), events.Committed("u2", None))
INTERRUPT = Commanded(5, "i1", commands.Interrupt())
ENDED: tuple[Input, ...] = (events.AudioDone(A1), events.TextDone("r1", "a1", TEXT, False), done("r1"))
AGAIN: tuple[Input, ...] = (LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), UPDATED)
ASKED_FOR = events.CreateSpeech("say-2", "q1", TEXT)


def created(response_id: str = "r1", request: str | None = "q1") -> events.ResponseCreated:
    return events.ResponseCreated(response_id, request, events.SAY)


def test_say_is_asked_for_and_puts_nothing_into_the_conversation() -> None:
    assert after(*LISTENING).handle(say(), now=1.0) == [
        SendEvent(ASKED_FOR),
        set_timer(Timer.RESPONSE_CREATED, 1.0 + RESPONSE_S),
        ReplyTo(1, QueuedReply(True, 0)),
        state("thinking"),
    ]


def test_say_is_heard_and_its_words_then_stand_in_the_conversation() -> None:
    told = effects_of(after(*SAYING, *SAID), *ENDED, drained(A1))

    assert sent(told) == [events.CreateItem("said_1", "assistant", TEXT)]
    assert published(told) == [
        ipc.ResponseDone("r1", "completed", request="q1"),
        ipc.Playback("a1", "drained", 1000),
        ipc.AssistantTranscript("r1", "a1", TEXT, TEXT, False, False),
    ]


def test_user_who_speaks_over_a_say_cancels_it_and_truncates_nothing() -> None:
    conversation = after(*SAYING, *SAID, events.SpeechStarted("u2", 100))
    told = conversation.handle(Cut(heard((A1, 700, 1000)), "server_vad"), now=1.0)

    assert sent(told) == [
        events.CancelResponse("r1"),
        events.CreateItem("said_1", "assistant", "Dinner is"),
    ]
    assert published(told)[0] == ipc.AssistantTranscript("r1", "a1", TEXT, "Dinner is", True, True)
    assert conversation.phase == Hearing("u2")


def test_interrupted_say_that_was_not_heard_leaves_nothing() -> None:
    conversation = after(*SAYING, *SAID, INTERRUPT)
    told = conversation.handle(Cut(heard((A1, 0, 1000)), "command", 5, "i1"), now=1.0)

    assert sent(told) == [events.CancelResponse("r1")]
    assert conversation.history.newest(None) == HistoryReply([], more=False)


def test_cut_of_a_say_that_is_sent_whole_cancels_nothing() -> None:
    conversation = after(*SAYING, *SAID, done("r1"), events.SpeechStarted("u2", 100))

    assert sent(conversation.handle(Cut(heard((A1, 700, 1000)), "server_vad"), now=1.0)) == [
        events.CreateItem("said_1", "assistant", "Dinner is")
    ]


def test_item_that_a_cut_say_still_announces_needs_no_deleting() -> None:
    conversation = after(*LISTENING, say(), created(), *SPEECH)
    late = events.OutputItemAdded("r1", "a1", "message")

    assert sent(effects_of(conversation, late, done("r1", "cancelled"), late)) == []


def test_say_waits_while_a_response_is_made() -> None:
    for busy in (THINKING, SPEAKING):
        conversation = after(*busy)

        assert conversation.handle(say(), now=1.0) == [ReplyTo(1, QueuedReply(True, 1))]
        assert sent(conversation.handle(done("r1"), now=1.0)) == [ASKED_FOR]


def test_say_and_ask_are_one_queue() -> None:
    conversation = after(*SPEAKING, say(), ask("And?", "q2", 2), say("Bye.", "q3", 3))

    assert sent(conversation.handle(done("r1"), now=1.0)) == [events.CreateSpeech("say-4", "q1", TEXT)]
    told = effects_of(conversation, created("r2"), done("r2"))
    assert sent(told)[1:] == [events.CreateResponse("ask-5", "q2")]
    told = effects_of(conversation, events.ResponseCreated("r3", "q2"), done("r3"))
    assert sent(told) == [events.CreateSpeech("say-6", "q3", "Bye.")]


def test_say_behind_an_answer_that_only_sounds_is_made_at_once() -> None:
    conversation = after(*ANSWERED)

    assert sent(conversation.handle(say(), now=1.0)) == [ASKED_FOR]
    assert conversation.phase == Awaiting()


def test_say_waits_until_the_users_turn_is_answered() -> None:
    conversation = after(*HEARING)

    assert conversation.handle(say(), now=1.0) == [ReplyTo(1, QueuedReply(True, 1))]
    answer = (*AWAITING[len(HEARING) :], events.ResponseCreated("r1", None))
    assert sent(effects_of(conversation, *answer)) == []
    assert sent(conversation.handle(done("r1"), now=1.0)) == [ASKED_FOR]


def test_say_that_the_user_overtakes_is_said_after_the_turn() -> None:
    conversation = after(*LISTENING, say(), *SPEECH)

    assert sent(conversation.handle(created(), now=1.0)) == [events.CancelResponse("r1")]
    turn = (events.SpeechStopped("u2", 900), done("r1", "cancelled"), events.ResponseCreated("r2", None))
    assert sent(effects_of(conversation, *turn)) == []
    assert conversation.phase == Thinking("r2")
    assert sent(conversation.handle(done("r2"), now=1.0)) == [events.CreateSpeech("say-3", "q1", TEXT)]


def test_say_whose_response_comes_when_the_turn_is_over_waits_for_its_answer() -> None:
    conversation = after(*LISTENING, say(), *TURN)

    assert sent(conversation.handle(created(), now=1.0)) == [events.CancelResponse("r1")]
    assert conversation.phase == Awaiting()


def test_say_that_comes_beside_the_answer_to_the_user_does_not_end_it() -> None:
    conversation = after(*LISTENING, say(), *TURN, events.ResponseCreated("r2", None))
    told = effects_of(conversation, created(), events.AudioDelta(B1, SECOND))

    assert sent(told) == [events.CancelResponse("r1")]
    assert Play(B1, SECOND, 24_000) in told
    assert conversation.phase == Speaking("r2")
    assert sent(conversation.handle(done("r1", "cancelled"), now=1.0)) == []
    assert sent(conversation.handle(done("r2"), now=1.0)) == [events.CreateSpeech("say-3", "q1", TEXT)]


def test_say_waits_for_an_answer_that_came_after_its_time() -> None:
    late = (TimerFired(Timer.RESPONSE_CREATED), events.ResponseCreated("r2", "q2"))
    conversation = after(*LISTENING, ask("And?", "q2", 2), say(), *late)

    assert sent(conversation.handle(created(), now=16.0)) == [events.CancelResponse("r1")]
    assert conversation.phase == Thinking("r2")
    assert sent(effects_of(conversation, done("r1", "cancelled"), done("r2"))) == [
        events.CreateSpeech("say-5", "q1", TEXT)
    ]


def test_answer_that_nobody_asked_for_ends_a_say() -> None:
    told = effects_of(after(*SAYING, *SAID), events.ResponseCreated("r2", None))

    assert sent(told) == [events.CancelResponse("r1")]
    assert published(told) == [
        ipc.ResponseDone("r1", "incomplete", "superseded", None, "q1"),
        ipc.ResponseCreated("r2"),
    ]


def test_answer_to_the_user_is_not_taken_for_the_say_that_was_asked_for() -> None:
    conversation = after(*LISTENING, say(), *TURN)
    told = conversation.handle(events.ResponseCreated("r2", None), now=1.0)

    assert published(told) == [ipc.ResponseCreated("r2")]


def test_say_of_a_server_that_gives_no_metadata_back_is_an_answer_as_any_other() -> None:
    conversation = after(*LISTENING, say(), events.ResponseCreated("r1", None), *SAID)
    cut = Cut(heard((A1, 700, 1000)), "server_vad")
    told = effects_of(conversation, events.SpeechStarted("u2", 100), cut, done("r1", "cancelled"))

    assert sent(told) == [events.TruncateItem("a1", 0, 700)]
    assert published(told)[-1] == ipc.ResponseDone("r1", "cancelled", request="q1")


def test_server_that_puts_a_say_into_the_conversation_is_corrected_there() -> None:
    inside = events.ResponseCreated("r1", "q1", events.SAY, "conv_1")
    conversation = after(*LISTENING, say(), inside, *SAID, events.SpeechStarted("u2", 100))

    assert sent(conversation.handle(Cut(heard((A1, 700, 1000)), "server_vad"), now=1.0)) == [
        events.TruncateItem("a1", 0, 700)
    ]


def test_server_that_refuses_a_say_is_an_error_that_names_its_request() -> None:
    conversation = after(*LISTENING, say())
    refused = events.ServerError("unknown_parameter", "Unknown parameter: 'response.conversation'.", "say-2")

    assert published(conversation.handle(refused, now=1.0)) == [
        ipc.Error(
            "internal",
            "Unknown parameter: 'response.conversation'.",
            details={"request": "q1", "server_code": "unknown_parameter"},
        )
    ]
    assert conversation.phase == Listening()


def test_say_that_never_begins_is_an_error_and_is_not_said_later() -> None:
    conversation = after(*LISTENING, say())

    assert published(conversation.handle(TimerFired(Timer.RESPONSE_CREATED), now=15.0)) == [
        ipc.Error("timeout", "the server began no answer within 15 s", True, {"request": "q1"})
    ]
    assert sent(conversation.handle(created(), now=16.0)) == [events.CancelResponse("r1")]


def test_without_a_session_nothing_can_be_said() -> None:
    assert after(*LISTENING, LOST).handle(say(), now=1.0) == [
        Refuse(1, "not_connected", "no session with the server (lost: closed)", retryable=True)
    ]


def test_say_that_was_not_begun_is_said_in_the_next_session() -> None:
    assert sent(effects_of(after(*LISTENING, say()), LOST, *AGAIN))[1:] == [
        events.CreateSpeech("say-3", "q1", TEXT)
    ]


def test_say_that_is_heard_out_in_the_next_session_is_told_there() -> None:
    conversation = after(*SAYING, *SAID, *ENDED, LOST, *AGAIN)

    assert sent(conversation.handle(drained(A1), now=1.0)) == [
        events.CreateItem("late_1", "assistant", TEXT, "root")
    ]


def test_next_session_is_told_what_was_said() -> None:
    told = effects_of(after(*SAYING, *SAID, *ENDED, drained(A1)), LOST, *AGAIN)

    assert sent(told)[1:] == [events.CreateItem("seed_2_0", "assistant", TEXT)]


def test_words_of_a_say_stand_before_what_was_asked_while_it_sounded() -> None:
    conversation = after(*DRAINED, say(), created("r2"))
    text = (events.TextDelta("r2", "b1", TEXT, False), events.AudioDelta(B1, SECOND), done("r2"))
    effects_of(conversation, *text, ask("And?", "q2", 2))

    assert sent(conversation.handle(drained(B1), now=1.0)) == [
        events.CreateItem("said_1", "assistant", TEXT, "a1")
    ]


def test_history_knows_a_say_by_the_id_that_the_events_told() -> None:
    conversation = after(*SAYING, *SAID, *ENDED, drained(A1))

    assert conversation.history.newest(None).items == [HistoryItem("a1", "assistant", TEXT, TEXT)]


def test_interrupted_say_is_cancelled_once_its_response_has_an_id() -> None:
    conversation = after(*LISTENING, say(), INTERRUPT, Cut(NOTHING, "command", 5, "i1"))

    assert sent(effects_of(conversation, created(), done("r1", "cancelled"))) == [events.CancelResponse("r1")]
    assert conversation.phase == Listening()


def test_speech_from_before_a_mute_does_not_end_a_say() -> None:
    muted = Commanded(9, "m1", commands.Mute("on"))

    assert after(*SAYING, *SAID, muted).handle(events.SpeechStarted("u2", 100), now=1.0) == [
        SendEvent(events.ClearAudio())
    ]


def test_say_without_a_request_is_known_by_its_kind() -> None:
    conversation = after(*LISTENING, say(request=None))

    assert published(conversation.handle(created(request=None), now=1.0)) == [ipc.ResponseCreated("r1")]
    assert conversation.phase == Thinking("r1")
