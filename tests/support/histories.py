"""Conversations that have come so far: histories are tuples of inputs, built on each other."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from rtvoiced.audio.events import CutResult, Drained, EchoChanged, Held, PartHeard, Resumed
from rtvoiced.clocks import Monotonic
from rtvoiced.conversation.effects import Effect, Publish, ReplyTo, SendEvent, SetTimer
from rtvoiced.conversation.inputs import Begun, Commanded, Configure, Cut, Input, SettingRequest
from rtvoiced.conversation.machine import Conversation
from rtvoiced.conversation.phases import Phase
from rtvoiced.conversation.policy import CLIENT_MANAGED, InterruptionRules
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.dsp.pcm import WIRE, Part
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.events import IpcEvent
from rtvoiced.realtime import events
from rtvoiced.realtime.events import ClientEvent, LinkConnecting, LinkLost
from rtvoiced.vocabulary import Detection, PhaseWord, PolicySetting, TalkAction

CONFIG = events.SessionConfig(voice="marin", instructions="Be brief.")
TEXT = "one two three four five six seven eight nine ten"
SECOND = WIRE.silence(1000)
A1, A2, B1 = Part("r1", "a1"), Part("r1", "a2"), Part("r2", "b1")
NOTHING = CutResult((), 0, 10.0)

CREATED = events.SessionCreated("sess_1", None, "ga")
UPDATED = events.SessionUpdated("sess_1", None, "marin", "rtvoice-local", 24_000, 24_000)
LOST = LinkLost("closed", 1, 0.0)
NO_CUT = Cut(NOTHING, "server_vad")


ECHO_OFF, VAD_ON = EchoChanged("off", "off", vad=False), EchoChanged("auto", "on", vad=True)
HELD = Held(A1, 505, 1000, 15.0)
RESUMED = Resumed(A1, 305)


def setting(ticket: int, key: str = "session.speed", value: float = 0.8) -> SettingRequest:
    return SettingRequest(ticket, key, value)


def ruled(
    policy: PolicySetting, detection: Detection = "server_vad", ticket: int | None = None, **ms: int
) -> Configure:
    """Another policy, or another turn detection, is to be in force."""
    config = replace(CONFIG, client_managed_turns=policy in CLIENT_MANAGED, detection=detection)
    return Configure(config, setting(ticket) if ticket is not None else None, InterruptionRules(policy, **ms))


def talk(action: TalkAction, ticket: int = 1, request: str | None = "t1") -> Commanded:
    return Commanded(ticket, request, commands.Talk(action))


def done(response_id: str, status: str = "completed", **more: Any) -> events.ResponseDone:
    return events.ResponseDone(response_id, status, **more)


def drained(part: Part, played_ms: int = 1000, *, idle: bool = True) -> Drained:
    return Drained(part, played_ms, idle)


def heard(*parts: tuple[Part, int, int]) -> CutResult:
    """What a cut leaves of (part, played_ms, received_ms) each."""
    left = tuple(PartHeard(part, played, received, False) for part, played, received in parts)
    return CutResult(left, sum(each.received_ms - each.played_ms for each in left), 15.0)


def ask(text: str = "What time is it?", request: str | None = "q1", ticket: int = 1) -> Commanded:
    return Commanded(ticket, request, commands.Ask(text))


def say(
    text: str = "Dinner is ready.",
    request: str | None = "q1",
    ticket: int = 1,
    *,
    wait: bool = False,
    interruptible: bool = True,
) -> Commanded:
    return Commanded(ticket, request, commands.Say(text, wait, interruptible))


LISTENING: tuple[Input, ...] = (Begun(), LinkConnecting(0), CREATED, UPDATED)
HEARING = (*LISTENING, events.SpeechStarted("u1", 100), NO_CUT)
AWAITING = (
    *HEARING,
    events.SpeechStopped("u1", 900),
    events.Committed("u1", None),
    events.UserTranscriptDone("u1", "Count to ten."),
)
THINKING = (*AWAITING, events.ResponseCreated("r1", None))
SPEAKING = (
    *THINKING,
    events.OutputItemAdded("r1", "a1", "message"),
    events.TextDelta("r1", "a1", TEXT, False),
    events.AudioDelta(A1, SECOND),
)
"""One second of a1 is queued, and the server makes more."""
ANSWERED = (*SPEAKING, events.AudioDone(A1), events.TextDone("r1", "a1", TEXT, False), done("r1"))
"""The server has sent all of it; the speaker still plays."""
DRAINED = (*ANSWERED, drained(A1))
ASKED = (*LISTENING, ask())
"""An `ask` waits for its response.created."""
SPOKEN: tuple[Input, ...] = (
    events.ResponseCreated("r1", "q1", events.SAY),
    events.OutputItemAdded("r1", "a1", "message"),
)
SAYING = (*LISTENING, say(), *SPOKEN)
"""The server makes what it was asked to say."""
SAID: tuple[Input, ...] = (
    events.TextDelta("r1", "a1", "Dinner is ready.", False),
    events.AudioDelta(A1, SECOND),
)
MANAGED: tuple[Input, ...] = (*LISTENING, VAD_ON, ruled("managed"), UPDATED)
MANUAL: tuple[Input, ...] = (*LISTENING, ruled("manual"), UPDATED)
BY_HAND: tuple[Input, ...] = (*LISTENING, ruled("auto", "none"), UPDATED)
"""Nobody listens but while push-to-talk is pressed."""
MUTED = (*LISTENING, Commanded(9, "m1", commands.Mute("on")))


class PlainConversation(Conversation):
    """A conversation that takes plain seconds for the time: in tests there is only one clock."""

    def handle(self, happened: Input, now: float) -> list[Effect]:
        return super().handle(happened, Monotonic(now))


def set_timer(timer: TimerKey, at: float) -> SetTimer:
    return SetTimer(timer, Monotonic(at))


def new_conversation() -> PlainConversation:
    return PlainConversation(CONFIG, "local", "rtvoice-local")


def after(*history: Input, now: float = 0.0) -> PlainConversation:
    """A conversation in which all this has happened, at *now*."""
    conversation = new_conversation()
    for happened in history:
        conversation.handle(happened, now)
    return conversation


def phase_of(conversation: Conversation) -> Phase:
    return conversation.phase


def copied(conversation: PlainConversation) -> PlainConversation:
    """Another conversation in the same state, made faster than by its history."""
    made: PlainConversation = pickle.loads(pickle.dumps(conversation, pickle.HIGHEST_PROTOCOL))
    return made


def effects_of(conversation: PlainConversation, *inputs: Input, now: float = 1.0) -> list[Effect]:
    return [effect for each in inputs for effect in conversation.handle(each, now)]


def sent(told: Iterable[Effect]) -> list[ClientEvent]:
    return [effect.event for effect in told if isinstance(effect, SendEvent)]


def published(told: Iterable[Effect]) -> list[IpcEvent]:
    """What subscribers get, but for `state` and the counts of arriving audio."""
    events_ = [effect.event for effect in told if isinstance(effect, Publish)]
    return [each for each in events_ if not isinstance(each, ipc.State | ipc.AudioArrived)]


def replies(told: Iterable[Effect]) -> list[dict[str, Any]]:
    return [asdict(effect.data) for effect in told if isinstance(effect, ReplyTo)]


def state(conversation: PhaseWord, **other: Any) -> Publish:
    """The `state` event of a connected daemon without a card."""
    words: dict[str, Any] = {
        "muted": False,
        "push_to_talk": False,
        "connection": "up",
        "input": "unavailable",
        "output": "unavailable",
        "voice": "marin",
        "provider": "local",
    }
    return Publish(ipc.State(conversation, **(words | other)))
