"""The conversation: one synchronous function from what happens to what has to be done. Pure.

A state holds exactly what is true in it. Connection, mute, and the bookkeeping
of utterances, questions and answers are facts beside it, in `session`, `mute`,
`utterances`, `questions` and `answers`.

* Two clocks: the server sends faster than real time, so an answer ends at
  *drained after done*, and whether there is something to interrupt is asked
  of the ledger (the effect `CutPlayback` and its input `Cut`), never of a state.
* With server VAD the server itself cancels the response that it is generating
  when the user starts to speak; in every other cut we cancel, by id.
"""

from __future__ import annotations

from typing import assert_never

from rtvoice import effects, inputs
from rtvoice.answers import Answers
from rtvoice.audio.ledger import Drained, Started
from rtvoice.audio.pcm import FRAME_BYTES, Part
from rtvoice.effects import Effect, Gate, Publish, Send
from rtvoice.inputs import Input
from rtvoice.ipc import commands
from rtvoice.ipc import events as ipc
from rtvoice.memory import Memory
from rtvoice.mute import TIMER as UNMUTE_TIMER
from rtvoice.mute import Mute
from rtvoice.questions import MOST_WAITING, Question, Questions, about
from rtvoice.realtime import events
from rtvoice.reports import interrupt_event, interrupt_reply, late, server_error
from rtvoice.session import CHANGE_TIMER, CONFIGURE_TIMER, Session
from rtvoice.states import Awaiting, Hearing, Idle, Listening, Speaking, State, Thinking
from rtvoice.usage import Usage
from rtvoice.utterances import Utterances, not_transcribed, stopped
from rtvoice.waits import TIMER as WAIT_TIMER
from rtvoice.waits import Waits, too_many_wait

RESPONSE_S = 15.0
"""From the end of speech, or from an `ask`, to ``response.created``."""
DELTA_S = 30.0
"""From one event of a response to the next."""
HEARING_S = 120.0
"""The longest utterance: a VAD that hears longer is stuck."""
CANCELLED_S = 5.0
"""From a cut to ``response.done``; some servers send none after a cancel."""

ASK_AGAIN_S = 1.0
"""How soon an `ask` is tried again that met another response."""
ALREADY_ACTIVE = "conversation_already_has_active_response"

ASK_TIMER = "ask"
RESPONSE_TIMER = "response.created"
DELTA_TIMER = "delta"
HEARING_TIMER = "hearing"


class Conversation:
    """The state machine of design: `handle(input, now)` returns the effects, in order."""

    def __init__(self, config: events.SessionConfig, provider: str, model: str) -> None:
        self.state: State = Idle()
        self.session = Session(config, provider, model)
        self.mute = Mute()
        self.memory = Memory()
        self.answers = Answers(self.memory, self.session)
        self.questions = Questions(self.memory)
        self.utterances = Utterances(self.memory)
        self.usage = Usage()
        self.waits = Waits()
        self._devices = {"input": "unavailable", "output": "unavailable"}
        self._sounding: Part | None = None
        """The part last queued, while anything is queued or in the card."""
        self._unwanted = False
        """The response to the last utterance is cancelled as soon as it has an id."""
        self._fresh = False
        """The session to come is told nothing of what was said."""
        self._words: ipc.State | None = None

    def handle(self, happened: Input, now: float) -> list[Effect]:
        """Return what has to be done about *happened*, in order; *now* is CLOCK_MONOTONIC seconds."""
        told = self._handle(happened, now)
        told += self.waits.over(lambda key: self.questions.holds(key) or self.answers.holds(key))
        words = self.words()
        if words != self._words:
            self._words = words
            told.append(Publish(words))
        return told

    @property
    def sounding(self) -> Part | None:
        """The part last queued, while anything is queued or in the card."""
        return self._sounding

    def words(self) -> ipc.State:
        """Return the daemon in one word each."""
        return ipc.State(
            conversation=self.state.word,
            muted=self.mute.on,
            push_to_talk=False,
            connection=self.session.status,
            input=self._devices["input"],
            output=self._devices["output"],
            voice=self.session.voice,
            provider=self.session.provider,
        )

    def _handle(self, happened: Input, now: float) -> list[Effect]:  # noqa: C901
        match happened:
            case events.AudioDelta():
                return self._audio(happened, now)
            case events.TextDelta(response_id):
                begun = self._unannounced(response_id, now)
                return begun + self._alive(self.answers.text(happened), now)
            case events.AudioDone(part):
                return [effects.FinishPart(part)]
            case events.TextDone():
                return self.answers.text_done(happened)
            case events.SpeechStarted():
                return self._speech_started(happened, now)
            case events.SpeechStopped():
                return self._speech_stopped(happened.item_id, happened.audio_end_ms, now)
            case events.Committed(item_id, previous):
                return self._committed(item_id, previous, now)
            case events.ItemAdded(item_id, role, previous):
                self.utterances.added(item_id, role, previous)
                return []
            case events.UserTranscriptDelta(item_id, text):
                spoken_now = self.state == Hearing(item_id)
                return self.utterances.text(item_id, text, final=False, spoken_now=spoken_now)
            case events.UserTranscriptDone(item_id, text):
                spoken_now = self.state == Hearing(item_id)
                return self.utterances.text(item_id, text, final=True, spoken_now=spoken_now)
            case events.UserTranscriptFailed(item_id, message):
                return [not_transcribed(item_id, message)]
            case events.ResponseCreated():
                return self._response_created(happened, now)
            case events.OutputItemAdded(response_id):
                begun = self._unannounced(response_id, now)
                return begun + self._alive(self.answers.announced(happened), now)
            case events.ResponseDone():
                return self._response_done(happened, now)
            case Started(part):
                return [Publish(ipc.Playback(part.item_id, "started", 0))]
            case Drained():
                return self._drained(happened, now)
            case inputs.Cut():
                return self._cut(happened, now)
            case inputs.Commanded():
                return self._commanded(happened, now)
            case inputs.Configure():
                return self.session.configure(happened, now)
            case events.SessionCreated():
                return [*self._link_replaced(), *self.session.created(happened, now)]
            case events.SessionUpdated():
                return self._session_updated(happened, now)
            case events.ServerError():
                return self._server_error(happened, now)
            case inputs.LinkConnecting():
                self.waits.session_left()
                return [*self._link_replaced(), *self.session.connecting(happened)]
            case inputs.LinkLost():
                return [*self._link_gone(), *self.session.lost(happened), self._microphone()]
            case inputs.LinkFailed():
                return self._link_failed(happened)
            case inputs.DeviceChanged():
                return self._device(happened)
            case inputs.VoiceStarted() | inputs.VoiceStopped() | inputs.EchoChanged():
                return []
            case inputs.TimerFired(name):
                return self._timer(name, now)
            case inputs.Begun():
                return [*self.mute.begun(happened, now), self._microphone()]
            case inputs.ShutdownAsked(reason):
                return self._shutdown(reason)
            case events.Ignored():
                return []
            case _:
                assert_never(happened)

    # ------------------------------------------------------------------ the user's turn

    def _speech_started(self, event: events.SpeechStarted, now: float) -> list[Effect]:
        if not self.session.up:
            return []
        if self.mute.on:
            # Said before the mute and only now heard by the server.
            self.utterances.discarded = event.item_id
            # With it the server ended its response, so that answer is over all the same; not so a `say`.
            audible = self._sounding.response_id if self._sounding is not None else None
            goes_on = self.answers.is_ephemeral(self.answers.accepting or audible)
            cut: list[Effect] = [] if goes_on else [effects.CutPlayback("server_vad")]
            return [*cut, Send(events.ClearAudio())]
        if self.state == Hearing(event.item_id):
            return []
        ended: list[Effect] = []
        if isinstance(self.state, Hearing):
            ended.append(stopped(self.state.item_id, event.audio_start_ms, "silence"))
        self.state = Hearing(event.item_id)
        self.questions.overtake()
        self.utterances.discarded, self._unwanted = None, False
        return [
            effects.CutPlayback("server_vad"),
            *ended,
            *self._nothing_expected(),
            effects.SetTimer(HEARING_TIMER, now + HEARING_S),
            Publish(ipc.SpeechStarted(event.item_id, event.audio_start_ms, "server")),
        ]

    def _speech_stopped(self, item_id: str, end_ms: int | None, now: float) -> list[Effect]:
        if not isinstance(self.state, Hearing) or item_id == self.utterances.discarded:
            return []
        begun, self.state = self.state.item_id, Awaiting()
        return [
            effects.ClearTimer(HEARING_TIMER),
            effects.SetTimer(RESPONSE_TIMER, now + RESPONSE_S),
            stopped(begun, end_ms, "silence"),
        ]

    def _committed(self, item_id: str, previous: str | None, now: float) -> list[Effect]:
        if item_id == self.utterances.discarded:
            self._unwanted = True
            return [Send(events.DeleteItem(item_id)), effects.SetTimer(RESPONSE_TIMER, now + RESPONSE_S)]
        self.memory.add(item_id, "user", previous)
        # Not every server tells where an utterance ends.
        return self._speech_stopped(item_id, None, now) if self.state == Hearing(item_id) else []

    def _discard_utterance(self, reason: str) -> list[Effect]:
        """End the open utterance and have nothing made of it."""
        if not isinstance(self.state, Hearing):
            return []
        item_id, self.state = self.state.item_id, Listening()
        return [effects.ClearTimer(HEARING_TIMER), *self.utterances.discard(item_id, reason)]

    # ------------------------------------------------------------- the assistant's turn

    def _response_created(self, event: events.ResponseCreated, now: float) -> list[Effect]:
        if not self.session.up or not self.answers.is_new(event.response_id):
            return []
        question = self.questions.answered(event, turn_first=self._unwanted)
        request = question.request if question is not None else event.request
        # A server that gives no metadata back hardly knows more of what is out of band.
        ephemeral = event.kind == events.SAY and event.conversation_id is None
        if not self._may_begin(event, question):
            # Of a turn that is over: the user speaks again, or wants no answer.
            told = self.answers.rejected(event.response_id, request, ephemeral=ephemeral)
            if self.answers.active == event.response_id:
                told.append(effects.SetTimer(DELTA_TIMER, now + CANCELLED_S))
            return [*told, *self._nothing_expected()]
        answered = [question] if question is not None else self.questions.taken_up()
        if request is None and answered:
            request = answered[0].request
        keys = tuple(each.item_id for each in answered)
        told = self.answers.created(event.response_id, request, keys, ephemeral=ephemeral)
        self.state = Thinking(event.response_id)
        return [*self._nothing_expected(), effects.SetTimer(DELTA_TIMER, now + DELTA_S), *told]

    def _may_begin(self, event: events.ResponseCreated, question: Question | None) -> bool:
        """Return whether somebody wants this answer now; a question that it comes too late for waits on."""
        if question is not None:
            # Out of band, it would speak beside the answer to the user's turn, or to a late one.
            beside = question.overtaken or self.answers.accepting is not None
            late = isinstance(self.state, Hearing) or (question.say and beside)
            if question.wanted and late:
                self.questions.put_off(question)
            return question.wanted and not late
        if event.kind == events.SAY:
            # Somebody was told already that nothing came of it.
            return False
        wanted = True
        if event.request is None:
            wanted, self._unwanted = not self._unwanted, False
        return wanted and not isinstance(self.state, Hearing)

    @property
    def _expecting(self) -> bool:
        """A response is to come, wanted or not."""
        return isinstance(self.state, Awaiting) or self.questions.asking is not None or self._unwanted

    def _nothing_expected(self) -> list[Effect]:
        """Stop waiting for a response unless one is still to come."""
        return [] if self._expecting else [effects.ClearTimer(RESPONSE_TIMER)]

    def _unannounced(self, response_id: str, now: float) -> list[Effect]:
        """Begin an answer of a server that sends no ``response.created``."""
        if not response_id or not self.answers.is_new(response_id):
            return []
        return self._response_created(events.ResponseCreated(response_id, None), now)

    def _audio(self, event: events.AudioDelta, now: float) -> list[Effect]:
        begun = self._unannounced(event.part.response_id, now)
        told = self.answers.audio(event, self.session.output_hz)
        if told and len(event.pcm) >= FRAME_BYTES:
            self._sounding = event.part
            if isinstance(self.state, Thinking | Speaking):
                self.state = Speaking(event.part.response_id)
        return begun + self._alive(told, now)

    def _alive(self, told: list[Effect], now: float) -> list[Effect]:
        """The active response goes on: it has a while again until its next event is due."""
        if told and self.answers.accepting is not None:
            told.append(effects.SetTimer(DELTA_TIMER, now + DELTA_S))
        return told

    def _response_done(self, event: events.ResponseDone, now: float) -> list[Effect]:
        told = self._unannounced(event.response_id, now)
        if event.status == "failed":
            error = server_error(event.error_code, event.error_message or "the answer failed", {})
            self.waits.fail(self.answers.keys(event.response_id), error)
        told += [*self.answers.done(event), *self.usage.spent(event)]
        if event.error_code in events.FATAL_CODES:
            told.append(effects.FailLink(f"{event.error_code}: {event.error_message}"))
        if self.answers.active is None:
            told.append(effects.ClearTimer(DELTA_TIMER))
        return told + self._settle(now)

    def _drained(self, event: Drained, now: float) -> list[Effect]:
        told: list[Effect] = [Publish(ipc.Playback(event.part.item_id, "drained", event.played_ms))]
        told += self.answers.drained(event)
        if event.part == self._sounding:
            self._sounding = None
        return told + self._settle(now)

    def _settle(self, now: float) -> list[Effect]:
        """Something of an answer ended: come to rest, and put the next question."""
        if isinstance(self.state, Hearing | Awaiting):
            return []
        self.state = self._at_rest()
        self.questions.readmit()
        return self._next_question(now)

    def _at_rest(self) -> State:
        """Return the state that the facts make while the user is silent."""
        active = self.answers.accepting
        if self._sounding is not None:
            return Speaking(self._sounding.response_id, generating=active is not None)
        if active is not None:
            return Thinking(active)
        return Listening() if self.session.up else Idle()

    def _next_question(self, now: float) -> list[Effect]:
        busy = self._expecting or self.answers.active is not None
        if busy or not self.session.up or not self.questions:
            return []
        if not isinstance(self.state, Listening | Speaking):
            return []
        self.state = Awaiting()
        return [*self.questions.ask(), effects.SetTimer(RESPONSE_TIMER, now + RESPONSE_S)]

    def _cut(self, cut: inputs.Cut, now: float) -> list[Effect]:
        """Playback is silent: say what was heard, to the server, the subscribers and who asked."""
        generating, awaited = self.answers.accepting, isinstance(self.state, Awaiting)
        told: list[Effect] = []
        if generating is not None:
            if cut.cause != "server_vad" or self.answers.is_ephemeral(generating):
                told.append(Send(events.CancelResponse(generating)))
            told.append(effects.SetTimer(DELTA_TIMER, now + CANCELLED_S))
        told += self.answers.cut(cut)
        self._sounding = None
        if cut.heard.parts:
            told.append(Publish(interrupt_event(cut)))
        if cut.cause == "command" and awaited:
            # The answer is on its way: it is cancelled as soon as it has an id.
            self.questions.interrupt()
            self._unwanted = self.questions.asking is None
            self.state = Listening()
        if cut.ticket is not None:
            cancelled = generating is not None or awaited
            told.append(effects.Reply(cut.ticket, interrupt_reply(cut, cancelled=cancelled)))
        return told + self._settle(now)

    # ------------------------------------------------------------------------ the session

    def _session_updated(self, event: events.SessionUpdated, now: float) -> list[Effect]:
        was_up = self.session.up
        told = self.session.updated(event, now)
        if was_up or not self.session.up:
            return told
        self._fresh = False
        told += [*self.session.seed(self.memory), self._microphone(), *self.waits.session_up()]
        return told + self._settle(now)

    def _link_gone(self) -> list[Effect]:
        """The session is gone: what has arrived plays to its end, everything else starts anew."""
        told: list[Effect] = []
        self.waits.session_left()
        if isinstance(self.state, Hearing):
            told.append(stopped(self.state.item_id, None, "link_lost"))
        self.utterances.discarded, self._unwanted = None, False
        told += [effects.ClearTimer(name) for name in (HEARING_TIMER, RESPONSE_TIMER, DELTA_TIMER, ASK_TIMER)]
        lost = ipc.Error("not_connected", "the link was lost", retryable=True)
        self.waits.fail(self.answers.keys(self.answers.active), lost)
        told += [*self.answers.link_lost(), *self.questions.link_lost()]
        if self._fresh:
            self.memory.forget()
        sounding = self._sounding
        self.state = Speaking(sounding.response_id, generating=False) if sounding else Idle()
        return told

    def _link_failed(self, link: inputs.LinkFailed) -> list[Effect]:
        told = [*self._link_gone(), *self.session.failed(link), self._microphone()]
        keys, refused = self.waits.session_failed(ipc.Error(link.code, link.reason))
        for key in keys:
            self.questions.withdraw(key)
        return [*told, *refused]

    def _link_replaced(self) -> list[Effect]:
        return [*self._link_gone(), self._microphone()] if self.session.up else []

    def _server_error(self, error: events.ServerError, now: float) -> list[Effect]:
        of_session = self.session.refused(error, now)
        if of_session is not None:
            return of_session
        asked, details = self.questions.asking, {}
        if error.code == ALREADY_ACTIVE:
            if asked is None:
                return []
            if asked.wanted and self.questions.again():
                # Usually its response.done is still to come; the timer is for the case that it has been.
                return [*self._asked_in_vain(), effects.SetTimer(ASK_TIMER, now + ASK_AGAIN_S)]
        elif events.is_benign(error):
            return []
        told: list[Effect] = []
        if asked is not None and (error.event_id == asked.event_id or error.code == ALREADY_ACTIVE):
            self.questions.given_up()
            self.waits.fail([asked.item_id], server_error(error.code, error.message, {}))
            details, told = about(asked), self._asked_in_vain()
        told.append(Publish(server_error(error.code, error.message, details)))
        return told + self._settle(now)

    def _asked_in_vain(self) -> list[Effect]:
        """No response will come of the question that was asked."""
        if isinstance(self.state, Awaiting):
            self.state = self._at_rest()
        return self._nothing_expected()

    def _timer(self, name: str, now: float) -> list[Effect]:
        if name in (CONFIGURE_TIMER, CHANGE_TIMER):
            return self.session.timer(name, now)
        if name.startswith(WAIT_TIMER):
            key, told = self.waits.expired(name)
            # What somebody saw time out does not happen later.
            self.questions.withdraw(key or "")
            return told
        if name == UNMUTE_TIMER:
            return self._set_mute(False, None, None, now)
        if name == ASK_TIMER:
            return self._settle(now)
        late = {
            RESPONSE_TIMER: self._response_late,
            DELTA_TIMER: self._delta_late,
            HEARING_TIMER: self._hearing_late,
        }
        return [*late[name](), *self._settle(now)]

    def _response_late(self) -> list[Effect]:
        asked, self._unwanted = self.questions.given_up(), False
        if asked is None and not isinstance(self.state, Awaiting):
            return []
        if isinstance(self.state, Awaiting):
            self.state = self._at_rest()
        error = late(f"the server began no answer within {RESPONSE_S:.0f} s", about(asked))
        if asked is not None:
            self.waits.fail([asked.item_id], error)
        return [Publish(error)]

    def _delta_late(self) -> list[Effect]:
        keys, request = self.answers.keys(self.answers.active), self.answers.request
        expected, told = self.answers.give_up()
        if expected or not told:
            return told
        details = {"request": request} if request else {}
        error = late(f"the server's answer stood still for {DELTA_S:.0f} s", details)
        self.waits.fail(keys, error)
        return [Publish(error), *told]

    def _hearing_late(self) -> list[Effect]:
        told = self._discard_utterance("timeout")
        return [Publish(late(f"the server heard speech for {HEARING_S:.0f} s")), *told] if told else []

    # --------------------------------------------------------------------------- commands

    def _commanded(self, asked: inputs.Commanded, now: float) -> list[Effect]:
        match asked.command:
            case commands.Mute(mode, for_s):
                on = not self.mute.on if mode == "toggle" else mode == "on"
                until = asked.until if on else None
                changed = (on, until) != (self.mute.on, self.mute.until)
                told = self._set_mute(on, for_s if on else None, until, now)
                reply = {"muted": self.mute.on, "until": self.mute.until, "changed": changed}
                return [*told, effects.Reply(asked.ticket, reply)]
            case commands.Interrupt():
                return [effects.CutPlayback("command", asked.ticket, asked.request)]
            case commands.Ask(text, wait):
                return self._ask(asked, self.questions.new(asked.request, text), wait, now)
            case commands.Say(text, wait):
                return self._ask(asked, self.questions.new(asked.request, text, say=True), wait, now)
            case commands.Reconnect(fresh, wait):
                return self._reconnect(asked, fresh, wait)
            case commands.SetVoice(voice):
                return self.session.set_voice(asked.ticket, voice, now)
            case commands.Stop():
                return [effects.Reply(asked.ticket, {"accepted": True}), *self._shutdown("stop")]
            case _:
                assert_never(asked.command)

    def _ask(self, asked: inputs.Commanded, question: Question, wait: bool, now: float) -> list[Effect]:
        if not self.session.up:
            reason = f": {self.session.reason}" if self.session.reason else ""
            message = f"no session with the server ({self.session.status}{reason})"
            return [effects.Refuse(asked.ticket, "not_connected", message, retryable=True)]
        if self.questions.full:
            message = f"{MOST_WAITING} questions wait already"
            return [effects.Refuse(asked.ticket, "busy", message, retryable=True)]
        if wait and self.waits.full:
            return [too_many_wait(asked.ticket)]
        if isinstance(self.state, Hearing) and not question.say:
            # The answer to what the user is saying will answer this too.
            told, queued = self.questions.absorb(question), 0
        else:
            self.questions.append(question)
            told = self._next_question(now)
            queued = len(self.questions)
        if wait:
            return [*told, *self.waits.add(asked.ticket, question.item_id, asked.expires)]
        return [*told, effects.Reply(asked.ticket, {"accepted": True, "queued": queued})]

    def _reconnect(self, asked: inputs.Commanded, fresh: bool, wait: bool) -> list[Effect]:
        if wait and self.waits.full:
            return [too_many_wait(asked.ticket)]
        if fresh:
            self._fresh = True
            self.memory.forget()
        self.session.request = asked.request
        if wait:
            return [*self.waits.add(asked.ticket, None, asked.expires), effects.Reconnect()]
        return [effects.Reply(asked.ticket, {"accepted": True}), effects.Reconnect()]

    def _set_mute(self, on: bool, for_s: float | None, until: float | None, now: float) -> list[Effect]:
        told = [*self.mute.set(on, for_s, until, now), self._microphone()]
        if on:
            told += self._discard_utterance("mute")
            told += self._settle(now)
        return told

    def _microphone(self) -> Effect:
        if self.session.up:
            gate = Gate.SILENCE if self.mute.on else Gate.OPEN
        else:
            gate = Gate.OFF if self.mute.on else Gate.CLOSED
        return effects.SetMicrophone(gate, self.session.input_hz)

    # ------------------------------------------------------------------ devices, the end

    def _device(self, changed: inputs.DeviceChanged) -> list[Effect]:
        self._devices[changed.direction] = changed.status
        told: list[Effect] = []
        if changed.direction == "output" and changed.status == "lost" and self._sounding is not None:
            told.append(effects.CutPlayback("device", lost_frames=changed.lost_frames))
        told.append(
            Publish(
                ipc.Device(
                    changed.direction, changed.name, changed.status, changed.rate_hz, changed.latency_ms
                )
            )
        )
        return told

    def _shutdown(self, reason: str) -> list[Effect]:
        told: list[Effect] = []
        self.questions.forget()
        if self._sounding is not None:
            told.append(effects.CutPlayback("shutdown"))
        if isinstance(self.state, Hearing):
            told.append(stopped(self.state.item_id, None, "cancel"))
            self.state = Listening()
        return [*told, effects.Quit(reason)]
