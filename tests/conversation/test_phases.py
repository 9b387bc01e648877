"""What may follow what: the table is held, and it is as tight as the truth."""

from __future__ import annotations

import random

import pytest

import support.histories as h
from conversation.test_machine_exhaustive import INPUTS, STATES, driven
from rtvoiced.conversation.inputs import Input, ShutdownAsked, TimerFired
from rtvoiced.conversation.phases import (
    ALLOWED,
    Awaiting,
    Hearing,
    Idle,
    Listening,
    Phase,
    Speaking,
    Thinking,
    TransitionError,
    check_transition,
)
from rtvoiced.conversation.timers import Timer
from rtvoiced.realtime import events

SPEECH = events.SpeechStarted("u9", 0)
NEXT = events.ResponseCreated("r2", "q1")
OWN_TURN: tuple[Input, ...] = (
    events.SpeechStarted("u1", 0),
    events.SpeechStopped("u1", 0),
    events.Committed("u1", None),
)
OWN_RESPONSE: tuple[Input, ...] = (*h.MANUAL, *OWN_TURN, events.ResponseCreated("r1", None, events.TURN))
SOUND = events.AudioDelta(h.A1, h.SECOND)
PROTECTED: tuple[Input, ...] = (*h.LISTENING, h.say(interruptible=False), *h.SPOKEN, *h.SAID)
ANSWERED_AND_ASKED = (*h.ANSWERED, h.ask())

TRANSITIONS: list[tuple[tuple[Input, ...], Input, type[Phase], type[Phase]]] = [
    (h.LISTENING[:-1], h.UPDATED, Idle, Listening),
    (h.LISTENING, h.LOST, Listening, Idle),
    (h.LISTENING, SPEECH, Listening, Hearing),
    (h.LISTENING, h.ask(), Listening, Awaiting),
    (h.LISTENING, events.ResponseCreated("r1", None), Listening, Thinking),
    (h.HEARING, h.LOST, Hearing, Idle),
    (h.HEARING, TimerFired(Timer.HEARING), Hearing, Listening),
    (h.HEARING, SPEECH, Hearing, Hearing),
    (h.HEARING, events.SpeechStopped("u1", 900), Hearing, Awaiting),
    ((*OWN_RESPONSE, SPEECH), events.SpeechStopped("u9", 9), Hearing, Thinking),
    ((*OWN_RESPONSE, SOUND, SPEECH), events.SpeechStopped("u9", 9), Hearing, Speaking),
    (h.AWAITING, h.LOST, Awaiting, Idle),
    (h.AWAITING, TimerFired(Timer.RESPONSE_CREATED), Awaiting, Listening),
    (h.AWAITING, SPEECH, Awaiting, Hearing),
    (h.AWAITING, events.ResponseCreated("r1", None), Awaiting, Thinking),
    (ANSWERED_AND_ASKED, h.LOST, Awaiting, Speaking),
    (h.THINKING, h.LOST, Thinking, Idle),
    (h.THINKING, h.done("r1"), Thinking, Listening),
    (h.THINKING, SPEECH, Thinking, Hearing),
    (h.THINKING, NEXT, Thinking, Thinking),
    (h.THINKING, SOUND, Thinking, Speaking),
    ((*h.ANSWERED, h.LOST), h.drained(h.A1), Speaking, Idle),
    (h.ANSWERED, h.drained(h.A1), Speaking, Listening),
    (h.SPEAKING, SPEECH, Speaking, Hearing),
    (h.ANSWERED, h.ask(), Speaking, Awaiting),
    (h.ANSWERED, events.ResponseCreated("r2", None), Speaking, Thinking),
    (h.SPEAKING, h.done("r1"), Speaking, Speaking),
]


@pytest.mark.parametrize(("history", "happened", "before", "after"), TRANSITIONS)
def test_every_transition_of_the_table_happens(
    history: tuple[Input, ...], happened: Input, before: type[Phase], after: type[Phase]
) -> None:
    conversation = h.after(*history)
    phase = conversation.phase
    conversation.handle(happened, now=1.0)

    assert (type(phase), type(conversation.phase)) == (before, after)
    assert conversation.phase != phase


def test_no_transition_is_allowed_that_never_happens() -> None:
    allowed = {(before, after) for before, followers in ALLOWED.items() for after in followers}

    assert allowed == {(before, after) for _, _, before, after in TRANSITIONS}
    assert set(ALLOWED) == set(Phase.__args__)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_in_whatever_order_only_what_is_allowed_follows(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        conversation = driven(*STATES[chance.choice(list(STATES))])
        for happened in chance.choices(INPUTS, k=15):
            conversation.feed(happened)


def test_what_does_not_stand_in_the_table_is_a_bug() -> None:
    state = h.after(*h.LISTENING).state
    with pytest.raises(TransitionError, match="can't follow"):
        state.enter(Speaking("r1"))

    assert state.phase == Listening()


def test_the_same_phase_is_no_transition() -> None:
    for phase in (Idle(), Listening(), Awaiting()):
        assert type(phase) not in ALLOWED[type(phase)]
        check_transition(phase, phase)


def test_shutdown_leaves_the_phase_that_the_facts_make() -> None:
    conversation = h.after(*OWN_RESPONSE, SPEECH, ShutdownAsked("SIGTERM"), SOUND, TimerFired(Timer.HEARING))

    assert conversation.phase == Speaking("r1")
