"""Every kind of input in every state, muted or not, connected or not."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import pytest

import support.histories as h
from rtvoiced.audio.events import (
    DeviceChanged,
    EchoChanged,
    Held,
    Resumed,
    Started,
    VoiceStarted,
    VoiceStopped,
)
from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation.effects import (
    ClearTimer,
    CutPlayback,
    Effect,
    HoldPlayback,
    ResumePlayback,
    SetTimer,
)
from rtvoiced.conversation.inputs import Begun, Commanded, Configure, Cut, Input, ShutdownAsked, TimerFired
from rtvoiced.conversation.phases import Awaiting, Hearing, Speaking, Thinking
from rtvoiced.conversation.stores.request import TurnRequest
from rtvoiced.conversation.timers import ReplyTimer, Timer, TimerKey
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost
from rtvoiced.vocabulary import DeviceStatus, Direction, PolicySetting, words

SLOW = replace(h.CONFIG, speed=0.8)


@dataclass(frozen=True)
class At:
    """An input, and when it happens; all others do at 1.0."""

    now: float
    happened: Input


OWN_TURN: tuple[Input, ...] = (
    events.SpeechStarted("u1", 0),
    events.SpeechStopped("u1", 0),
    events.Committed("u1", None),
)
OWN_RESPONSE: tuple[Input, ...] = (
    events.ResponseCreated("r1", None, events.TURN),
    events.OutputItemAdded("r1", "a1", "message"),
    events.TextDelta("r1", "a1", h.TEXT, False),
    events.AudioDelta(h.A1, h.SECOND),
)
OWN_ANSWER: tuple[Input, ...] = (*h.MANAGED, *OWN_TURN, *OWN_RESPONSE)
PROTECTED: tuple[Input, ...] = (*h.LISTENING, h.say(interruptible=False), *h.SPOKEN)
STATES: dict[str, tuple[Input | At, ...]] = {
    "unborn": (),
    "connecting": (Begun(), LinkConnecting(0)),
    "configuring": (Begun(), LinkConnecting(0), h.CREATED),
    "listening": h.LISTENING,
    "hearing": h.HEARING,
    "awaiting": h.AWAITING,
    "asking": h.ASKED,
    "thinking": h.THINKING,
    "speaking": h.SPEAKING,
    "answered": h.ANSWERED,
    "answered, asking": (*h.ANSWERED, h.ask()),
    "answered, thinking": (*h.ANSWERED, h.ask(), events.ResponseCreated("r2", "q1")),
    "drained": h.DRAINED,
    "interrupted": (*h.SPEAKING, events.SpeechStarted("u2", 0), Cut(h.heard((h.A1, 4, 9)), "server_vad")),
    "interrupted while asking": (
        *h.ASKED,
        Commanded(2, "i1", commands.Interrupt()),
        Cut(h.NOTHING, "command", 2),
    ),
    "rejected": (*h.HEARING, events.ResponseCreated("r1", None)),
    "asks wait": (*h.SPEAKING, h.ask(), h.ask("More", "q2", 2)),
    "saying, asked for": (*h.LISTENING, h.say()),
    "saying": h.SAYING,
    "saying, sounding": (*h.SAYING, *h.SAID),
    "said, sounding": (*h.SAYING, *h.SAID, h.done("r1")),
    "said and waited for": (*h.LISTENING, h.say(wait=True), *h.SPOKEN),
    "says and asks wait": (*h.SPEAKING, h.say(), h.ask("More", "q2", 2), h.say("And this", "q3", 3)),
    "say waits for the user": (*h.HEARING, h.say()),
    "ask taken in": (*h.HEARING, h.ask()),
    "ask taken in, awaiting": (*h.HEARING, h.ask(), *h.AWAITING[len(h.HEARING) :]),
    "say overtaken": (*h.LISTENING, h.say(), events.SpeechStarted("u1", 0), h.NO_CUT),
    "waited for": (
        *h.LISTENING,
        Commanded(11, "w1", commands.Ask("why?", wait=True), expires=Monotonic(50.0)),
        Commanded(12, "w2", commands.Reconnect(wait=True), expires=Monotonic(60.0)),
    ),
    "session is changing": (*h.LISTENING, Configure(SLOW, h.setting(13)), Configure(h.CONFIG, h.setting(14))),
    "voice is changing": (*h.LISTENING, Commanded(3, "v1", commands.SetVoice("cedar"))),
}
INTERRUPTIONS: dict[str, tuple[Input | At, ...]] = {
    "held": (*h.SPEAKING, h.VAD_ON, VoiceStarted(0.9)),
    "held, answered": (*h.ANSWERED, h.VAD_ON, VoiceStarted(0.9), VoiceStopped(0.95)),
    "resumed": (*h.SPEAKING, h.VAD_ON, VoiceStarted(0.9), TimerFired(Timer.HOLD)),
    "policy is changing": (*h.SPEAKING, h.VAD_ON, VoiceStarted(0.9), h.ruled("managed", ticket=13)),
    "managed": h.MANAGED,
    "managed, hearing": (*h.MANAGED, *OWN_TURN[:1]),
    "managed, asking": (*h.MANAGED, *OWN_TURN),
    "managed, speaking": OWN_ANSWER,
    "managed, held": (*OWN_ANSWER, VoiceStarted(0.9)),
    "managed, undecided": (*OWN_ANSWER, VoiceStarted(0.9), events.SpeechStarted("u2", 0)),
    "managed, undecided without a VAD": (*OWN_ANSWER, h.ECHO_OFF, events.SpeechStarted("u2", 0)),
    "managed, undecided before the answer": (*h.MANAGED, *OWN_TURN, events.SpeechStarted("u2", 0)),
    "managed, rejected": (
        *OWN_ANSWER,
        VoiceStarted(0.9),
        events.SpeechStarted("u2", 0),
        VoiceStopped(0.95),
        events.SpeechStopped("u2", 0),
    ),
    "managed, cut": (
        *OWN_ANSWER,
        VoiceStarted(0.9),
        events.SpeechStarted("u2", 0),
        TimerFired(Timer.SPEECH),
    ),
    "manual, spoken over": (*h.MANUAL, *OWN_TURN, *OWN_RESPONSE, events.SpeechStarted("u2", 0)),
    "manual, a turn waits": (
        *(*h.MANUAL, *OWN_TURN, *OWN_RESPONSE, events.SpeechStarted("u2", 0)),
        *(events.SpeechStopped("u2", 0), events.Committed("u2", "u1")),
    ),
    "pressed": (*h.LISTENING, h.talk("press")),
    "pressed over an answer": (*h.SPEAKING, h.talk("press")),
    "pressed in a turn": (*h.HEARING, h.talk("press")),
    "pressed before the answer": (*h.AWAITING, h.talk("press")),
    "by hand": h.BY_HAND,
    "by hand, pressed": (*h.BY_HAND, h.talk("press")),
    "released": (*h.BY_HAND, h.talk("press"), At(3.0, h.talk("release", 2))),
    "released, answered": (
        *(*h.BY_HAND, h.talk("press"), At(3.0, h.talk("release", 2))),
        *(events.Committed("u1", None), events.ResponseCreated("r1", None, events.TURN)),
    ),
    "protected": PROTECTED,
    "protected, spoken over": (*PROTECTED, *h.SAID, events.SpeechStarted("u1", 0)),
    "protected, answered already": (
        *(*PROTECTED, *h.SAID, events.SpeechStarted("u1", 0)),
        *(events.SpeechStopped("u1", 0), events.Committed("u1", None), events.ResponseCreated("r2", None)),
    ),
}
STATES |= INTERRUPTIONS
BESIDE: dict[str, tuple[Input, ...]] = {
    "": (),
    "muted": (Commanded(7, "m1", commands.Mute("on")),),
    "muted for a time": (Commanded(7, "m1", commands.Mute("on", 60.0), WallClock(1000.0)),),
    "link lost": (h.LOST,),
    "link failed": (LinkFailed("no key", 600.0, "auth_failed"),),
    "link replaced": (LinkConnecting(1),),
    "reconnecting afresh": (Commanded(8, "f1", commands.Reconnect(fresh=True)), h.LOST, LinkConnecting(1)),
}
INPUTS: list[Input] = [
    Begun(),
    Begun(muted=True, for_s=3.0, until=WallClock(100.0)),
    LinkConnecting(2),
    LinkLost("closed", 1, 0.2),
    LinkFailed("no", 600.0),
    h.CREATED,
    h.UPDATED,
    events.SessionUpdated(None, None, None, None, 16_000, 24_000),
    *[events.SessionUpdated(None, None, None, None, 24_000, 24_000, off) for off in (True, False)],
    *[DeviceChanged(way, word, "USB") for way in words(Direction) for word in words(DeviceStatus)],
    *[Cut(h.NOTHING, cause) for cause in ("server_vad", "command", "device", "shutdown")],
    Cut(h.heard((h.A1, 0, 1000)), "command", 4, "i9"),
    Cut(h.heard((h.A1, 500, 1000), (h.A2, 0, 10)), "server_vad"),
    VoiceStarted(0.9),
    VoiceStopped(0.9),
    *[EchoChanged("auto", word, vad) for word in ("on", "failed") for vad in (True, False)],
    h.HELD,
    Held(None, 0, 0, 0.0),
    h.RESUMED,
    Resumed(None, 0),
    Started(h.A1),
    h.drained(h.A1),
    h.drained(Part("r0", "a0"), idle=False),
    Configure(h.CONFIG, h.setting(21)),
    Configure(h.CONFIG),
    *[h.ruled(word) for word in words(PolicySetting)],
    h.ruled("server", "none"),
    h.ruled("managed", "semantic_vad", 22),
    *[TimerFired(ReplyTimer(ticket)) for ticket in (1, 11, 12, 99)],
    *[TimerFired(timer) for timer in Timer],
    ShutdownAsked("SIGTERM"),
    *[
        Commanded(20, "c1", command, WallClock(500.0))
        for command in (
            commands.Mute("on"),
            commands.Mute("off"),
            commands.Mute("toggle"),
            commands.Mute("on", 9.0),
            commands.Interrupt(),
            commands.Ask("why?"),
            commands.Ask("why?", wait=True),
            commands.Say("so"),
            commands.Say("so", wait=True),
            commands.Say("so", interruptible=False),
            commands.Talk("press"),
            commands.Talk("release"),
            commands.Talk("cancel"),
            commands.Reconnect(),
            commands.Reconnect(wait=True),
            commands.Reconnect(fresh=True),
            commands.SetVoice("ash"),
            commands.Stop(),
        )
    ],
    *[events.SpeechStarted(item, 1) for item in ("u1", "u9")],
    *[events.SpeechStopped(item, 1) for item in ("u1", "u9")],
    *[events.Committed(item, None) for item in ("u1", "u9")],
    events.ItemAdded("u9", "user", "u1"),
    events.ItemAdded("x1", None, None),
    events.UserTranscriptDelta("u1", "he"),
    events.UserTranscriptDone("u1", ""),
    events.UserTranscriptFailed("u1", "no"),
    *[
        events.ResponseCreated(response, request)
        for response in ("r1", "r2", "r9")
        for request in (None, "q1")
    ],
    *[
        events.ResponseCreated(response, request, events.SAY, conversation)
        for response in ("r1", "r9")
        for request in (None, "q1")
        for conversation in (None, "conv_1")
    ],
    events.OutputItemAdded("r1", "a2", "message"),
    events.OutputItemAdded("r1", "f1", "function_call"),
    events.OutputItemAdded("r9", "a9", "message"),
    events.AudioDelta(h.A1, b"\1\2"),
    events.AudioDelta(h.A1, b"\1"),
    events.AudioDelta(h.A1, b""),
    events.AudioDelta(h.B1, b"\1\2"),
    events.AudioDone(h.A1),
    events.TextDelta("r1", "a1", "more", False),
    events.TextDelta("", "a1", "more", True),
    events.TextDone("r1", "a1", "all", False),
    events.TextDone("", "a1", "", True),
    *[events.ResponseCreated(response, None, events.TURN) for response in ("r1", "r9")],
    *[h.done(response, word) for response in ("r1", "r9") for word in ("completed", "cancelled", "failed")],
    h.done("r1", "cancelled", reason="turn_detected"),
    h.done("r1", "failed", error_code="insufficient_quota", error_message="pay"),
    *[
        events.ServerError(code, "no", event_id)
        for code in (
            None,
            "session_expired",
            "invalid_api_key",
            "cannot_update_voice",
            "response_cancel_not_active",
            "conversation_already_has_active_response",
            events.COMMIT_EMPTY,
        )
        for event_id in (None, "session-1", "voice-2", "ask-2", "say-2", "change-2", "talk-2", "turn-2")
    ],
    events.Ignored("rate_limits.updated"),
]
ELSEWHERE = [each for each in INPUTS if not (isinstance(each, events.ServerError) and each.event_id)]
"""Without the errors that answer something of ours: these are fed where nothing else is the matter."""


def test_every_kind_of_input_is_fed() -> None:
    assert {type(each) for each in INPUTS} == set(Input.__args__)


class Driven:
    """A conversation, its timers, and what its cuts are answered."""

    def __init__(self) -> None:
        self.conversation = h.new_conversation()
        self.timers: set[TimerKey] = set()
        self.open: list[str] = []
        self.speech: str | None = None
        self.held = False

    def feed(self, happened: Input | At) -> list[Effect]:
        now = 1.0
        if isinstance(happened, At):
            now, happened = happened.now, happened.happened
        if isinstance(happened, TimerFired):
            self.timers.discard(happened.timer)
        if isinstance(happened, Cut):
            self.held = False
        told = self.conversation.handle(happened, now)
        for event in h.published(told):
            self._note(event)
        for effect in list(told):
            match effect:
                case SetTimer(timer):
                    self.timers.add(timer)
                case ClearTimer(timer):
                    self.timers.discard(timer)
                case CutPlayback(cause, ticket, request):
                    told += self.feed(Cut(h.NOTHING, cause, ticket, request))
                case HoldPlayback():
                    self.held = True
                    part = self.conversation.sounding
                    told += self.feed(Held(part, 505, 1000, 15.0) if part else Held(None, 0, 0, 15.0))
                case ResumePlayback():
                    self.held = False
                    told += self.feed(Resumed(self.conversation.sounding, 305))
                case _:
                    pass
        return told

    def _note(self, event: object) -> None:
        match event:
            case ipc.SpeechStarted(item_id, source=source):
                assert self.speech is None
                assert (item_id is None) == (source == "push_to_talk")
                self.speech = item_id or "by hand"
            case ipc.SpeechStopped(item_id, source=source):
                assert (item_id or "by hand") == self.speech
                assert (item_id is None) == (source == "push_to_talk")
                self.speech = None
            case ipc.ResponseCreated(response_id):
                self.open.append(response_id)
            case ipc.ResponseDone(response_id):
                self.open.remove(response_id)
            case _:
                pass

    def must_hold(self) -> None:
        state = self.conversation.state
        waits = {Hearing: Timer.HEARING, Awaiting: Timer.RESPONSE_CREATED, Thinking: Timer.DELTA}
        if type(state.phase) in waits:
            assert waits[type(state.phase)] in self.timers
        if isinstance(state.phase, Speaking) and state.phase.generating:
            assert Timer.DELTA in self.timers
        if state.requests.asking is not None:
            assert Timer.RESPONSE_CREATED in self.timers
        assert (self.speech is not None) == isinstance(state.phase, Hearing)
        assert self.open == ([state.responses.active] if state.responses.active else [])
        assert state.responses.accepting in (None, state.responses.active)
        assert state.session.up or not isinstance(state.phase, Hearing | Awaiting | Thinking)
        assert state.push_to_talk.pressed == (state.phase == Hearing(None))
        assert self.held == (self.conversation.interruption.hold is not None)
        assert not self.held or Timer.HOLD in self.timers
        assert not state.responses.protected or Timer.PROTECTED in self.timers
        assert not self.held or (state.session.up and not state.mute.on)
        assert not state.push_to_talk.pressed or state.session.up

    def come_to_rest(self) -> None:
        """All that was asked before is answered, with nothing, and all that still sounds is cut."""
        number = 0
        self.feed(Commanded(33, "i1", commands.Interrupt()))
        while (asked := self.conversation.state.requests.asking) is not None:
            number += 1
            self.feed(events.ResponseCreated(f"r70_{number}", asked.request_id, asked.kind))
            self.feed(h.done(f"r70_{number}"))

    def turn_works(self) -> None:
        """Whatever happened: after a reconnect the user is heard and answered."""
        self.feed(h.LOST)
        self.feed(Commanded(30, "u1", commands.Mute("off")))
        for each in (LinkConnecting(1), events.SessionCreated("sess_2", None, "ga"), h.UPDATED):
            self.feed(each)
        if self.conversation.session.client_managed_turns:
            self.come_to_rest()
        if self.conversation.session.detection == "none":
            self.feed(h.talk("press", 31))
            self.feed(At(2.0, h.talk("release", 32)))
        else:
            self.feed(events.SpeechStarted("u77", 0))
            assert h.phase_of(self.conversation) == Hearing("u77")
            self.feed(events.SpeechStopped("u77", 0))
        self.feed(events.Committed("u77", None))
        own = self.conversation.state.requests.asking
        self.feed(events.ResponseCreated("r77", None, own.kind if isinstance(own, TurnRequest) else None))
        assert h.phase_of(self.conversation) == Thinking("r77")
        self.feed(events.AudioDelta(Part("r77", "a77"), b"\1\2"))
        assert h.phase_of(self.conversation) == Speaking("r77")


def driven(*history: Input | At) -> Driven:
    driven = Driven()
    for happened in history:
        # The histories carry the answers to their cuts themselves.
        if not isinstance(happened, Cut) or happened.heard.parts:
            driven.feed(happened)
    return driven


WORKED: set[bytes] = set()
"""States, as `copied`, after which a turn was seen to work: many inputs lead to the same one."""


def copied(driven: Driven) -> bytes:
    """Return all that *driven* is; `restored` makes another one of it, faster than its history does."""
    state = (driven.conversation, sorted(driven.timers, key=str), driven.open, driven.speech, driven.held)
    return pickle.dumps(state, pickle.HIGHEST_PROTOCOL)


def restored(copy: bytes) -> Driven:
    """Return a conversation in that state."""
    driven = Driven.__new__(Driven)
    driven.conversation, timers, driven.open, driven.speech, driven.held = pickle.loads(copy)
    driven.timers = set(timers)
    return driven


CASES = [
    (state, beside)
    for state in STATES
    for beside in BESIDE
    # What these add to what is like them, the states without interruptions show.
    if state not in INTERRUPTIONS or beside not in ("muted for a time", "link failed", "reconnecting afresh")
]


@pytest.mark.parametrize(("state", "beside"), CASES)
def test_any_input_in_any_state(state: str, beside: str) -> None:
    before = copied(driven(*STATES[state], *BESIDE[beside]))
    conversation = restored(before)
    conversation.must_hold()
    untouched = copied(conversation)
    for happened in INPUTS if not beside else ELSEWHERE:
        conversation.feed(happened)
        conversation.must_hold()
        after = copied(conversation)
        known = after in WORKED
        if not known:
            conversation.turn_works()
            WORKED.add(after)
        if after != untouched or not known:
            conversation = restored(before)


@pytest.mark.parametrize("state", STATES)
def test_state_is_published_when_a_word_changes_and_only_then(state: str) -> None:
    copy = copied(driven(*STATES[state]))
    for happened in INPUTS:
        conversation = restored(copy).conversation
        before = conversation.state_event()
        told = conversation.handle(happened, now=1.0)
        after = conversation.state_event()
        states = [each.event for each in told if hasattr(each, "event") and isinstance(each.event, ipc.State)]
        known = before if STATES[state] else None
        assert states == ([after] if after != known else [])


EXPECTED = {
    # state: (speech, rtctl interrupt, link lost, an ask)
    "listening": ("hearing", "listening", "idle", "thinking"),
    "hearing": ("hearing", "hearing", "idle", "hearing"),
    "awaiting": ("hearing", "listening", "idle", "thinking"),
    "asking": ("hearing", "listening", "idle", "thinking"),
    "thinking": ("hearing", "listening", "idle", "thinking"),
    "speaking": ("hearing", "listening", "speaking", "speaking"),
    "answered": ("hearing", "listening", "speaking", "thinking"),
    "answered, thinking": ("hearing", "listening", "speaking", "thinking"),
    "drained": ("hearing", "listening", "idle", "thinking"),
    "interrupted": ("hearing", "hearing", "idle", "hearing"),
    "interrupted while asking": ("hearing", "listening", "idle", "listening"),
}


@pytest.mark.parametrize("state", EXPECTED)
def test_what_the_important_inputs_lead_to(state: str) -> None:
    def word(happened: Input) -> str:
        conversation = driven(*STATES[state])
        conversation.feed(happened)
        return conversation.conversation.state_event().conversation

    assert (
        word(events.SpeechStarted("u9", 0)),
        word(Commanded(20, "c1", commands.Interrupt())),
        word(h.LOST),
        word(h.ask("why?", "q9", 21)),
    ) == EXPECTED[state]
