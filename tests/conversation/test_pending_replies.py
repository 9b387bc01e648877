"""`wait`: the reply comes when it is over, when it came to nothing, or at the request's expiry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtvoiced.clocks import Monotonic
from rtvoiced.conversation.effects import ClearTimer, Effect, ReconnectLink, Refuse, ReplyTo
from rtvoiced.conversation.inputs import Commanded, Cut, Input, TimerFired
from rtvoiced.conversation.stores.pending_replies import MOST_WAITS
from rtvoiced.conversation.timers import ReplyTimer, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import QueuedReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed
from support.histories import (
    A1,
    AWAITING,
    HEARING,
    LISTENING,
    LOST,
    NOTHING,
    SAID,
    SPEAKING,
    SPOKEN,
    TEXT,
    UPDATED,
    after,
    ask,
    done,
    drained,
    effects_of,
    heard,
    published,
    replies,
    say,
    sent,
    set_timer,
)

SAY = say(wait=True)
ASK = Commanded(1, "q1", commands.Ask("What time is it?", wait=True))
RECONNECT = Commanded(6, "c1", commands.Reconnect(wait=True), expires=Monotonic(50.0))
ENDED: tuple[Input, ...] = (events.AudioDone(A1), events.TextDone("r1", "a1", TEXT, False), done("r1"))
AGAIN: tuple[Input, ...] = (LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), UPDATED)
OVER = ReplyTo(1, QueuedReply(True, 0))


def answers(told: list[Effect]) -> list[Effect]:
    return [each for each in told if isinstance(each, ReplyTo | Refuse)]


# --------------------------------------------------------------- say and ask


@pytest.mark.parametrize("asked", [SAY, ASK])
def test_reply_comes_when_the_answer_has_drained(asked: Commanded) -> None:
    begun = SPOKEN if asked is SAY else (events.ResponseCreated("r1", "q1"),)
    conversation = after(*LISTENING)

    assert answers(effects_of(conversation, asked, *begun, *SAID, *ENDED)) == []
    assert answers(conversation.handle(drained(A1), now=2.0)) == [OVER]


def test_reply_comes_when_the_answer_has_nothing_to_be_heard() -> None:
    conversation = after(*LISTENING, ASK, events.ResponseCreated("r1", "q1"))

    assert answers(conversation.handle(done("r1"), now=1.0)) == [OVER]


def test_answer_that_the_user_cuts_is_over() -> None:
    conversation = after(*LISTENING, SAY, *SPOKEN, *SAID, events.SpeechStarted("u1", 1))

    assert answers(conversation.handle(Cut(heard((A1, 700, 1000)), "server_vad"), now=1.0)) == [OVER]


def test_what_is_interrupted_before_it_has_begun_is_over() -> None:
    interrupted = (Commanded(5, "i1", commands.Interrupt()), Cut(NOTHING, "command", 5, "i1"))

    assert OVER in effects_of(after(*LISTENING, SAY), *interrupted)


def test_say_that_waits_for_the_user_is_waited_for() -> None:
    conversation = after(*HEARING)
    turn = (*AWAITING[len(HEARING) :], events.ResponseCreated("r1", None), done("r1"))

    assert answers(effects_of(conversation, SAY, *turn)) == []
    said = (events.ResponseCreated("r2", "q1", events.SAY), done("r2"))
    assert answers(effects_of(conversation, *said)) == [OVER]


def test_ask_into_a_spoken_turn_is_over_with_its_answer_which_carries_the_request() -> None:
    conversation = after(*HEARING)
    turn = (*AWAITING[len(HEARING) :], events.ResponseCreated("r1", None), *SAID, *ENDED)
    told = effects_of(conversation, ASK, *turn)

    assert answers(told) == []
    assert ipc.ResponseCreated("r1", request="q1") in published(told)
    assert answers(conversation.handle(drained(A1), now=2.0)) == [OVER]


def test_ask_into_a_turn_that_a_mute_ends_is_asked_for_by_itself() -> None:
    conversation = after(*HEARING, ASK)
    told = conversation.handle(Commanded(9, "m1", commands.Mute("on")), now=1.0)

    assert sent(told) == [events.ClearAudio(), events.CreateResponse("ask-2", "q1")]
    assert answers(effects_of(conversation, events.ResponseCreated("r1", "q1"), done("r1"))) == [OVER]


def test_ask_into_a_turn_that_gets_no_answer_is_asked_for_by_itself() -> None:
    conversation = after(*HEARING, ASK, *AWAITING[len(HEARING) :])

    assert sent(conversation.handle(TimerFired(Timer.RESPONSE_CREATED), now=16.0)) == [
        events.CreateResponse("ask-2", "q1")
    ]


def test_ask_into_a_turn_whose_link_is_lost_is_asked_in_the_next_session() -> None:
    told = effects_of(after(*HEARING, ASK), LOST, *AGAIN)

    assert sent(told)[1:] == [
        events.CreateItem("ask_1", "user", "What time is it?"),
        events.CreateResponse("ask-2", "q1"),
    ]
    assert answers(told) == []


def test_failed_answer_is_told_once_what_came_of_it_has_drained() -> None:
    failed = done("r1", "failed", error_code="rate_limit_exceeded", error_message="slow down")
    conversation = after(*LISTENING, SAY, *SPOKEN, *SAID)

    assert answers(conversation.handle(failed, now=1.0)) == []
    assert answers(conversation.handle(drained(A1), now=2.0)) == [
        Refuse(1, "rate_limited", "slow down", True, {"server_code": "rate_limit_exceeded"})
    ]


def test_refused_say_is_told() -> None:
    refused = events.ServerError("unknown_parameter", "no such thing", "say-2")

    assert answers(after(*LISTENING, SAY).handle(refused, now=1.0)) == [
        Refuse(1, "internal", "no such thing", False, {"server_code": "unknown_parameter"})
    ]


def test_answer_that_never_begins_is_told() -> None:
    told = after(*LISTENING, ASK).handle(TimerFired(Timer.RESPONSE_CREATED), now=15.0)

    assert answers(told) == [
        Refuse(1, "timeout", "the server began no answer within 15 s", True, {"request": "q1"})
    ]


def test_answer_that_stands_still_is_told() -> None:
    told = after(*LISTENING, ASK, events.ResponseCreated("r1", "q1")).handle(
        TimerFired(Timer.DELTA), now=31.0
    )

    assert answers(told) == [
        Refuse(1, "timeout", "the server's answer stood still for 30 s", True, {"request": "q1"})
    ]


def test_lost_link_ends_what_was_begun() -> None:
    conversation = after(*LISTENING, SAY, *SPOKEN, *SAID)

    assert answers(conversation.handle(LOST, now=1.0)) == []
    assert answers(conversation.handle(drained(A1), now=2.0)) == [
        Refuse(1, "not_connected", "the link was lost", retryable=True)
    ]


def test_lost_link_does_not_end_what_still_waits() -> None:
    conversation = after(*LISTENING, SAY)

    assert answers(effects_of(conversation, LOST, *AGAIN)) == []
    assert answers(effects_of(conversation, *SPOKEN, done("r1"))) == [OVER]


def test_link_that_failed_ends_what_waits_and_it_is_not_said_later() -> None:
    conversation = after(*LISTENING, SAY)
    told = conversation.handle(LinkFailed("HTTP 401", 600.0, "auth_failed"), now=1.0)

    assert answers(told) == [Refuse(1, "auth_failed", "HTTP 401")]
    assert sent(effects_of(conversation, *AGAIN))[1:] == []


def test_without_a_session_nobody_waits() -> None:
    assert answers(after(*LISTENING, LOST).handle(SAY, now=1.0)) == [
        Refuse(1, "not_connected", "no session with the server (lost: closed)", retryable=True)
    ]


# -------------------------------------------------------------------- expiry


def test_who_waits_is_answered_at_the_expiry() -> None:
    conversation = after(*LISTENING)

    told = conversation.handle(replace(SAY, expires=Monotonic(30.0)), now=1.0)
    assert set_timer(ReplyTimer(1), 30.0) in told
    effects_of(conversation, *SPOKEN, *SAID)
    assert conversation.handle(TimerFired(ReplyTimer(1)), now=30.0) == [
        Refuse(1, "timeout", "it was not over before the request expired", retryable=True)
    ]
    assert answers(effects_of(conversation, *ENDED, drained(A1))) == []


def test_what_is_over_has_no_expiry_any_more() -> None:
    conversation = after(*LISTENING, replace(SAY, expires=Monotonic(30.0)), *SPOKEN)

    assert ClearTimer(ReplyTimer(1)) in conversation.handle(done("r1"), now=2.0)
    assert conversation.handle(TimerFired(ReplyTimer(1)), now=30.0) == []


def test_what_somebody_saw_time_out_is_not_said_later() -> None:
    conversation = after(*SPEAKING, replace(SAY, expires=Monotonic(30.0)))
    conversation.handle(TimerFired(ReplyTimer(1)), now=30.0)

    assert sent(conversation.handle(done("r1"), now=31.0)) == []


def test_only_so_many_wait() -> None:
    conversation = after(*LISTENING)
    for ticket in range(MOST_WAITS):
        conversation.handle(replace(RECONNECT, ticket=ticket), now=1.0)

    busy = [Refuse(1, "busy", "200 requests wait already", retryable=True)]
    assert conversation.handle(SAY, now=1.0) == busy
    assert conversation.handle(replace(RECONNECT, ticket=1), now=1.0) == busy


# ----------------------------------------------------------------- reconnect


def test_reconnect_is_answered_when_the_new_session_is_up() -> None:
    conversation = after(*LISTENING)

    assert conversation.handle(RECONNECT, now=1.0) == [set_timer(ReplyTimer(6), 50.0), ReconnectLink()]
    assert answers(effects_of(conversation, LOST, *AGAIN[:-1])) == []
    assert replies(conversation.handle(UPDATED, now=2.0)) == [{"accepted": True}]


def test_session_that_was_to_be_replaced_is_not_the_new_one() -> None:
    conversation = after(*LISTENING[:-1], RECONNECT)

    assert replies(conversation.handle(UPDATED, now=1.0)) == []
    assert replies(effects_of(conversation, LOST, *AGAIN)) == [{"accepted": True}]


def test_reconnect_between_two_attempts_is_answered_by_the_next_session() -> None:
    conversation = after(*LISTENING, LOST, RECONNECT)

    assert replies(effects_of(conversation, *AGAIN)) == [{"accepted": True}]


def test_reconnect_that_fails_says_why() -> None:
    told = after(*LISTENING, RECONNECT).handle(LinkFailed("HTTP 401", 600.0, "auth_failed"), now=1.0)

    assert answers(told) == [Refuse(6, "auth_failed", "HTTP 401")]


def test_reconnect_waits_on_while_the_link_tries_again() -> None:
    conversation = after(*LISTENING, RECONNECT)

    assert answers(effects_of(conversation, LOST, LinkConnecting(1), LOST)) == []
    assert answers(conversation.handle(TimerFired(ReplyTimer(6)), now=50.0)) == [
        Refuse(6, "timeout", "it was not over before the request expired", retryable=True)
    ]


def test_ask_does_not_hold_up_others() -> None:
    conversation = after(*LISTENING, SAY, *SPOKEN, *SAID)
    told = conversation.handle(ask("And?", "q2", 2), now=1.0)

    assert answers(told) == [ReplyTo(2, QueuedReply(True, 1))]
