"""A running session gets another configuration: one change at a time is with the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtvoiced.conversation.effects import ClearTimer, Refuse, ReplyTo, SendEvent
from rtvoiced.conversation.inputs import Begun, Commanded, Configure, Input, TimerFired
from rtvoiced.conversation.stores.session_changes import MOST_CHANGES
from rtvoiced.conversation.timers import CHANGE_S, Timer
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import SetReply
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting
from support.histories import (
    CONFIG,
    CREATED,
    LISTENING,
    LOST,
    UPDATED,
    after,
    effects_of,
    published,
    replies,
    sent,
    set_timer,
    setting,
    state,
)

SLOW = replace(CONFIG, speed=0.8)
EAGER = replace(CONFIG, silence_ms=200)
KEY = {"key": "session.speed", "value": 0.8}
SET = Configure(SLOW, setting(5))
SET_VOICE = Commanded(7, "v1", commands.SetVoice("cedar"))
AGAIN: tuple[Input, ...] = (LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), UPDATED)


def test_session_is_configured_whole_and_the_reply_waits_for_the_server() -> None:
    conversation = after(*LISTENING)

    assert conversation.handle(SET, now=1.0) == [
        SendEvent(events.UpdateSession(SLOW, "change-2")),
        set_timer(Timer.CHANGE, 1.0 + CHANGE_S),
    ]
    assert conversation.handle(UPDATED, now=1.5) == [
        ClearTimer(Timer.CHANGE),
        ReplyTo(5, SetReply("session.speed", 0.8, "now")),
    ]


def test_change_lasts_over_sessions() -> None:
    assert sent(effects_of(after(*LISTENING, SET, UPDATED), LOST, *AGAIN)) == [
        events.UpdateSession(SLOW, "session-3")
    ]


def test_without_a_session_the_next_one_gets_it() -> None:
    conversation = after(*LISTENING, LOST)

    assert replies(conversation.handle(SET, now=1.0)) == [{**KEY, "applied": "next_session"}]
    assert sent(effects_of(conversation, *AGAIN)) == [events.UpdateSession(SLOW, "session-2")]


def test_session_that_is_just_being_configured_gets_it_as_soon_as_it_is_up() -> None:
    conversation = after(Begun(), LinkConnecting(0), CREATED, SET)

    assert sent(conversation.handle(UPDATED, now=1.0)) == [events.UpdateSession(SLOW, "change-2")]
    assert replies(conversation.handle(UPDATED, now=1.0)) == []


@pytest.mark.parametrize("code", ["decimal_above_max_value", "cannot_update_voice"])
def test_change_that_the_server_refuses_is_undone(code: str) -> None:
    conversation = after(*LISTENING, SET)

    assert conversation.handle(events.ServerError(code, "no", "change-2"), now=1.0) == [
        ClearTimer(Timer.CHANGE),
        Refuse(5, "bad_args", "no", details={"arg": "value"}),
    ]
    assert sent(effects_of(conversation, LOST, *AGAIN)) == [events.UpdateSession(CONFIG, "session-3")]


def test_change_without_an_answer_times_out_and_the_next_is_sent() -> None:
    conversation = after(*LISTENING, SET, Configure(EAGER, setting(6)))

    assert conversation.handle(TimerFired(Timer.CHANGE), now=3.0) == [
        Refuse(5, "timeout", "the server did not answer within 2 s", retryable=True),
        SendEvent(events.UpdateSession(EAGER, "change-3")),
        set_timer(Timer.CHANGE, 3.0 + CHANGE_S),
    ]


def test_changes_are_made_one_after_the_other() -> None:
    conversation = after(*LISTENING, SET)

    assert effects_of(conversation, Configure(EAGER, setting(6, "turn.silence_ms", 200)), SET_VOICE) == []
    told = conversation.handle(UPDATED, now=1.0)
    assert (sent(told), replies(told)) == (
        [events.UpdateSession(EAGER, "change-3")],
        [{**KEY, "applied": "now"}],
    )
    told = conversation.handle(UPDATED, now=1.0)
    assert (sent(told), replies(told)) == (
        [events.UpdateVoice("cedar", "voice-4")],
        [{"key": "turn.silence_ms", "value": 200, "applied": "now"}],
    )
    assert replies(conversation.handle(replace(UPDATED, voice="cedar"), now=1.0)) == [
        {"voice": "cedar", "applied": "now"}
    ]


def test_change_keeps_the_voice_in_force() -> None:
    locked = events.ServerError("cannot_update_voice", "it has spoken", "voice-2")
    conversation = after(*LISTENING, SET_VOICE, locked)

    # The voice of the next session: a server refuses the whole change for it.
    assert sent(conversation.handle(SET, now=1.0)) == [events.UpdateSession(SLOW, "change-3")]
    conversation.handle(UPDATED, now=1.0)
    assert sent(effects_of(conversation, LOST, *AGAIN)) == [
        events.UpdateSession(replace(SLOW, voice="cedar"), "session-4")
    ]


def test_changes_that_were_under_way_when_the_link_was_lost_are_the_next_sessions() -> None:
    told = effects_of(after(*LISTENING, SET, Configure(EAGER, setting(6))), LOST, *AGAIN)

    assert replies(told) == [{**KEY, "applied": "next_session"}, {**KEY, "applied": "next_session"}]
    assert sent(told) == [events.UpdateSession(EAGER, "session-3")]


def test_too_many_changes_are_refused() -> None:
    conversation = after(*LISTENING, *[SET] * MOST_CHANGES)

    assert conversation.handle(Configure(EAGER, setting(6)), now=1.0) == [
        Refuse(6, "busy", f"{MOST_CHANGES} changes wait for the server", retryable=True)
    ]


def test_change_that_nobody_waits_for_is_made_all_the_same() -> None:
    conversation = after(*LISTENING)

    assert sent(effects_of(conversation, Configure(SLOW))) == [events.UpdateSession(SLOW, "change-2")]
    assert conversation.handle(UPDATED, now=1.0) == [ClearTimer(Timer.CHANGE)]


def test_change_that_the_next_session_refuses_does_not_keep_it_from_coming_up() -> None:
    conversation = after(*LISTENING, LOST, SET, LinkConnecting(1), CREATED)
    told = conversation.handle(events.ServerError("decimal_above_max_value", "no", "session-2"), now=1.0)

    assert published(told) == [ipc.Error("bad_args", "the server refused what was changed: no")]
    assert sent(told) == [events.UpdateSession(CONFIG, "session-3")]
    assert conversation.handle(UPDATED, now=1.0)[-1] == state("listening")
