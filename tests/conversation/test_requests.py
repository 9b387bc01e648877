"""`ask`: one thing speaks at a time, and every request is heard of again."""

from __future__ import annotations

from rtvoiced.conversation.effects import ClearTimer, Play, Publish, Refuse, ReplyTo, SendEvent
from rtvoiced.conversation.inputs import Commanded, Cut, Input, TimerFired
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.stores.requests import MOST_TRIES, MOST_WAITING
from rtvoiced.conversation.timers import ASK_AGAIN_S, RESPONSE_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import QueuedReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting
from support.histories import (
    A1,
    ANSWERED,
    ASKED,
    AWAITING,
    B1,
    HEARING,
    LISTENING,
    LOST,
    NO_CUT,
    NOTHING,
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
    replies,
    sent,
    set_timer,
    state,
)

COLLISION = events.ServerError("conversation_already_has_active_response", "wait for it", "ask-2")
SECOND_ASK = ask("And the date?", "q2", 2)
INTERRUPTED = (*ASKED, Commanded(5, "i1", commands.Interrupt()), Cut(NOTHING, "command", 5, "i1"))
AGAIN = (LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), UPDATED)


def test_ask_is_put_and_its_answer_asked_for() -> None:
    assert after(*LISTENING).handle(ask(), now=1.0) == [
        SendEvent(events.CreateItem("ask_1", "user", "What time is it?")),
        Publish(ipc.UserTranscript("ask_1", "What time is it?", True)),
        SendEvent(events.CreateResponse("ask-2", "q1")),
        set_timer(Timer.RESPONSE_CREATED, 1.0 + RESPONSE_S),
        ReplyTo(1, QueuedReply(True, 0)),
        state("thinking"),
    ]


def test_answer_carries_the_request_to_its_end() -> None:
    told = effects_of(after(*ASKED), events.ResponseCreated("r1", "q1"), done("r1"))

    assert published(told) == [
        ipc.ResponseCreated("r1", request="q1"),
        ipc.ResponseDone("r1", "completed", request="q1"),
    ]


def test_server_that_gives_no_metadata_back_is_known_by_the_order() -> None:
    told = effects_of(after(*ASKED), events.ResponseCreated("r1", None), done("r1"))

    assert published(told) == [
        ipc.ResponseCreated("r1", request="q1"),
        ipc.ResponseDone("r1", "completed", request="q1"),
    ]


def test_ask_waits_while_a_response_is_made() -> None:
    for busy in (THINKING, SPEAKING):
        conversation = after(*busy)

        assert conversation.handle(ask(), now=1.0) == [ReplyTo(1, QueuedReply(True, 1))]
        assert sent(conversation.handle(done("r1"), now=1.0)) == [
            events.CreateItem("ask_1", "user", "What time is it?"),
            events.CreateResponse("ask-2", "q1"),
        ]


def test_ask_waits_for_the_answer_to_an_utterance() -> None:
    conversation = after(*AWAITING, ask())

    assert sent(conversation.handle(events.ResponseCreated("r1", None), now=1.0)) == []
    assert sent(conversation.handle(done("r1"), now=1.0))[1:] == [events.CreateResponse("ask-2", "q1")]


def test_ask_while_an_answer_only_sounds_is_put_at_once() -> None:
    conversation = after(*ANSWERED)

    assert sent(conversation.handle(ask(), now=1.0))[1:] == [events.CreateResponse("ask-2", "q1")]
    assert conversation.phase == Awaiting()


def test_ask_while_the_user_speaks_is_answered_with_what_is_said() -> None:
    assert after(*HEARING).handle(ask(), now=1.0) == [
        SendEvent(events.CreateItem("ask_1", "user", "What time is it?")),
        Publish(ipc.UserTranscript("ask_1", "What time is it?", True)),
        ReplyTo(1, QueuedReply(True, 0)),
    ]


def test_asks_are_answered_one_after_the_other() -> None:
    conversation = after(*ASKED, SECOND_ASK, ask("Third?", "q3", 3), events.ResponseCreated("r1", "q1"))
    created = []
    for response_id, request in (("r1", "q2"), ("r2", "q3"), ("r3", None)):
        told = sent(conversation.handle(done(response_id), now=1.0))
        created += [each.request for each in told if isinstance(each, events.CreateResponse)]
        conversation.handle(events.ResponseCreated(f"r{int(response_id[1]) + 1}", request), now=1.0)

    assert created == ["q2", "q3"]


def test_reply_says_how_many_wait() -> None:
    told = effects_of(after(*ASKED), SECOND_ASK, ask("Third?", "q3", 3))

    assert replies(told) == [{"accepted": True, "queued": 1}, {"accepted": True, "queued": 2}]


def test_too_many_asks_are_refused() -> None:
    conversation = after(*ASKED, *[SECOND_ASK] * MOST_WAITING)

    assert conversation.handle(ask("One more?", "q9", 9), now=1.0) == [
        Refuse(9, "busy", "100 questions wait already", retryable=True)
    ]


def test_without_a_session_nothing_can_be_asked() -> None:
    assert after(*LISTENING, LOST).handle(ask(), now=1.0) == [
        Refuse(1, "not_connected", "no session with the server (lost: closed)", retryable=True)
    ]


def test_ask_that_waited_for_the_user_is_put_when_a_mute_ends_the_utterance() -> None:
    cut = Cut(heard((A1, 400, 1000)), "server_vad")
    conversation = after(*SPEAKING, ask(), events.SpeechStarted("u2", 1), cut, done("r1", "cancelled"))
    told = conversation.handle(Commanded(9, "m1", commands.Mute("on")), now=1.0)

    assert sent(told)[2:] == [events.CreateResponse("ask-2", "q1")]


# ------------------------------------------------------------------- trouble


def test_refused_ask_is_an_error_that_names_its_request_and_the_next_is_put() -> None:
    conversation = after(*ASKED, SECOND_ASK)
    told = conversation.handle(events.ServerError("invalid_value", "no", "ask-2"), now=1.0)

    assert published(told)[0] == ipc.Error(
        "internal", "no", details={"request": "q1", "server_code": "invalid_value"}
    )
    assert sent(told)[1:] == [events.CreateResponse("ask-4", "q2")]


def test_error_about_something_else_leaves_the_ask_alone() -> None:
    conversation = after(*ASKED)

    assert published(conversation.handle(events.ServerError("server_error", "oops"), now=1.0)) == [
        ipc.Error("internal", "oops", True, {"server_code": "server_error"})
    ]
    assert conversation.phase == Awaiting()


def test_refused_ask_does_not_end_the_users_speech() -> None:
    conversation = after(*ASKED, events.SpeechStarted("u1", 0), NO_CUT)
    conversation.handle(events.ServerError("invalid_value", "no", "ask-2"), now=1.0)

    assert conversation.phase == Hearing("u1")


def test_answer_that_never_begins_is_an_error_that_names_its_request() -> None:
    conversation = after(*ASKED)

    assert published(conversation.handle(TimerFired(Timer.RESPONSE_CREATED), now=15.0)) == [
        ipc.Error(
            "timeout",
            "the server began no answer within 15 s",
            retryable=True,
            details={"request": "q1"},
        )
    ]
    assert conversation.phase == Listening()


def test_ask_that_meets_another_response_is_asked_again_without_its_item() -> None:
    conversation = after(*ASKED)

    assert conversation.handle(COLLISION, now=1.0) == [
        ClearTimer(Timer.RESPONSE_CREATED),
        set_timer(Timer.ASK, 1.0 + ASK_AGAIN_S),
        state("listening"),
    ]
    assert sent(conversation.handle(TimerFired(Timer.ASK), now=2.0)) == [events.CreateResponse("ask-3", "q1")]


def test_ask_that_meets_another_response_for_ever_is_given_up() -> None:
    conversation = after(*ASKED)
    tried: tuple[Input, ...] = (COLLISION, TimerFired(Timer.ASK))
    told = effects_of(conversation, *tried * MOST_TRIES)

    assert published(told) == [
        ipc.Error("internal", "wait for it", details={"request": "q1", "server_code": COLLISION.code})
    ]
    assert conversation.phase == Listening()


def test_interrupted_ask_is_cancelled_once_its_response_has_an_id() -> None:
    conversation = after(*INTERRUPTED)
    told = effects_of(conversation, events.ResponseCreated("r1", "q1"), done("r1", "cancelled"))

    assert sent(told) == [events.CancelResponse("r1")]
    assert published(told)[-1] == ipc.ResponseDone("r1", "cancelled", request="q1")


def test_next_ask_waits_for_the_end_of_an_interrupted_one() -> None:
    conversation = after(*INTERRUPTED, SECOND_ASK)

    assert sent(conversation.handle(events.ResponseCreated("r1", None), now=1.0)) == [
        events.CancelResponse("r1")
    ]
    assert sent(conversation.handle(done("r1", "cancelled"), now=1.0))[1:] == [
        events.CreateResponse("ask-4", "q2")
    ]


def test_speech_into_an_ask_that_waits_takes_its_answer() -> None:
    speech = (events.SpeechStarted("u1", 0), NO_CUT)
    conversation = after(*ASKED, *speech)

    assert sent(conversation.handle(events.ResponseCreated("r1", "q1"), now=1.0)) == [
        events.CancelResponse("r1")
    ]


def test_answer_to_speech_is_the_answer_to_an_ask_that_the_server_forgot() -> None:
    speech = (events.SpeechStarted("u1", 0), NO_CUT, events.SpeechStopped("u1", 1))
    told = effects_of(after(*ASKED, *speech), events.ResponseCreated("r1", None), done("r1"))

    assert published(told)[-1] == ipc.ResponseDone("r1", "completed", request="q1")


def test_answer_is_told_from_that_to_an_utterance_which_a_mute_ended() -> None:
    mute = Commanded(9, "m1", commands.Mute("on"))
    late = (events.SpeechStopped("u1", 9), events.Committed("u1", None))
    conversation = after(*HEARING, mute, ask(), *late)

    assert sent(conversation.handle(events.ResponseCreated("r1", None), now=1.0)) == [
        events.CancelResponse("r1")
    ]
    conversation.handle(events.ResponseCreated("r2", "q1"), now=1.0)
    assert conversation.phase == Thinking("r2")


# ----------------------------------------------------------------- link lost


def test_ask_that_was_not_begun_is_asked_in_the_next_session() -> None:
    told = effects_of(after(*ASKED, SECOND_ASK), LOST, *AGAIN)

    assert sent(told)[1:] == [
        events.CreateItem("ask_1", "user", "What time is it?"),
        events.CreateResponse("ask-4", "q1"),
    ]
    assert ipc.UserTranscript("ask_1", "What time is it?", True) not in published(told)


def test_ask_outlives_a_fresh_session() -> None:
    fresh = Commanded(7, "f1", commands.Reconnect(fresh=True))

    assert sent(effects_of(after(*ASKED, fresh), LOST, *AGAIN))[1:] == [
        events.CreateItem("ask_1", "user", "What time is it?"),
        events.CreateResponse("ask-3", "q1"),
    ]


def test_answer_that_was_begun_fails_with_its_session() -> None:
    conversation = after(*ASKED, events.ResponseCreated("r1", "q1"))

    assert ipc.ResponseDone("r1", "failed", "link_lost", None, "q1") in published(
        conversation.handle(LOST, now=1.0)
    )


def test_interrupted_ask_is_not_asked_again() -> None:
    told = effects_of(after(*INTERRUPTED), LOST, *AGAIN)

    assert [each for each in sent(told) if isinstance(each, events.CreateResponse)] == []
    assert [each.details for each in published(told) if isinstance(each, ipc.Error)] == [{"request": "q1"}]


def test_second_answer_plays_whole_behind_the_first() -> None:
    conversation = after(*ANSWERED, ask(), events.ResponseCreated("r2", "q1"))
    told = effects_of(conversation, events.AudioDelta(B1, SECOND), drained(A1, idle=False))

    assert Play(B1, SECOND, 24_000) in told
    assert conversation.phase == Speaking("r2")
