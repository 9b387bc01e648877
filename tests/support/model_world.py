"""The world around a conversation, without clocks and sockets: link, timers, speaker, subscribers."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace

from rtvoiced.audio.events import Drained, EchoChanged, VoiceStarted, VoiceStopped
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.machine import Conversation
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.policy import CLIENT_MANAGED, InterruptionRules
from rtvoiced.conversation.timers import Timer, TimerKey
from rtvoiced.dsp.pcm import WIRE
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import ClientEvent, LinkConnecting, LinkFailed, LinkLost
from rtvoiced.vocabulary import Detection, EchoState, PolicySetting
from support.histories import CONFIG, phase_of, sent, setting
from support.model_server import Habits, ModelServer


class World:
    """Runs a conversation as the daemon does, and asserts all the while what must hold."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.conversation = Conversation(CONFIG, "local", "m")
        self.now = 0.0
        self.timers: dict[TimerKey, float] = {}
        self.playback = PlaybackQueue(WIRE.hz)
        self.server: ModelServer | None = None
        self.to_server: deque[ClientEvent] = deque()
        self.sessions = 0
        self.gate = effects.MicrophoneGate.CLOSED
        self.published: list[ipc.IpcEvent] = []
        self.state_event: ipc.State | None = None
        self.unanswered: set[int] = set()
        self.tickets = 0
        self.asked: dict[str, bool] = {}
        """Requests of accepted asks, and whether a spoken turn took them in."""
        self.reported: Counter[str] = Counter()
        self.opened: set[str] = set()
        """Responses that were published and are not done."""
        self.dead: set[str] = set()
        """Responses that were cut, or cancelled."""
        self.played: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.in_speech: str | None = None
        self.creating = False
        self.link_order: Input | None = None
        self.quit = False
        self.wanted = (CONFIG, InterruptionRules())
        """The configuration, as whoever sets it sees it."""
        self.before: dict[int, tuple[events.SessionConfig, InterruptionRules]] = {}
        """By ticket: the configuration before what the server has not answered yet."""
        self.voice = False
        """Our own VAD hears a voice."""
        self.dispatch(inputs.Begun())

    # ----------------------------------------------------------- the daemon

    def dispatch(self, happened: Input) -> None:
        waiting = deque([happened])
        while waiting:
            each = waiting.popleft()
            told = self.conversation.handle(each, Monotonic(self.now))
            for effect in told:
                self._apply(effect, waiting)
            if isinstance(each, inputs.Cut):
                self._check_corrections(each, told)
            assert self.state_event == self.conversation.state_event(), "a change was not published"
            if not waiting and self.link_order is None:
                self._check()
        if self.link_order is not None:
            order, self.link_order = self.link_order, None
            self.lose_link(order)

    def _apply(self, effect: Effect, waiting: deque[Input]) -> None:  # noqa: C901
        match effect:
            case effects.SendEvent(event):
                self._send(event)
            case effects.Play(part, pcm, hz):
                assert part.response_id not in self.dead, "audio of a cut answer was played"
                self.played[part.response_id] += len(pcm)
                self.playback.push(part, pcm, hz)
            case effects.FinishPart(part):
                self.playback.finish(part)
            case effects.FinishResponse(response_id):
                self.playback.finish_response(response_id)
            case effects.CutPlayback(cause, ticket, request, lost_frames):
                heard = self.playback.cut(lost_frames)
                self.dead |= self.opened
                self.dead |= {each.part.response_id for each in heard.parts}
                if cause in ("server_vad", "local_vad") and heard.parts:
                    assert self.conversation.state.yields, "it was not to be interrupted by a voice"
                waiting.append(inputs.Cut(heard, cause, ticket, request))
            case effects.HoldPlayback():
                waiting.append(self.playback.hold())
            case effects.ResumePlayback():
                waiting.append(self.playback.resume())
            case effects.SetMicrophone(gate, _):
                self.gate = gate
            case effects.Publish(event):
                self._published(event)
            case effects.ReplyTo(ticket):
                self.unanswered.remove(ticket)
                self.before.pop(ticket, None)
            case effects.Refuse(ticket):
                self.unanswered.remove(ticket)
                self.wanted = self.before.pop(ticket, self.wanted)
            case effects.SetTimer(timer, at):
                assert at > self.now
                self.timers[timer] = at
            case effects.ClearTimer(timer):
                self.timers.pop(timer, None)
            case effects.ReconnectLink():
                self.link_order = LinkLost("reconnect", 0, 0.0)
            case effects.DropLink(reason):
                self.link_order = LinkLost(reason, 1, 0.0)
            case effects.FailLink(reason):
                self.link_order = LinkFailed(reason, 600.0)
            case effects.Quit():
                self.quit = True
            case effects.SaveMute():
                pass

    def _send(self, event: ClientEvent) -> None:
        if self.server is None:
            return
        if isinstance(event, events.CreateResponse | events.CreateSpeech):
            assert not self.creating, "a second response was asked for"
            assert not (self.opened - self.dead), "a response was asked for while one is active"
            self.creating = True
        if isinstance(event, events.CancelResponse):
            self.dead.add(event.response_id)
        self.to_server.append(event)

    def _published(self, event: ipc.IpcEvent) -> None:
        self.published.append(event)
        match event:
            case ipc.State():
                assert event != self.state_event, "the same state was published twice"
                self.state_event = event
            case ipc.SpeechStarted(item_id):
                assert self.in_speech is None
                self.in_speech = item_id or "by hand"
            case ipc.SpeechStopped(item_id):
                assert (item_id or "by hand") == self.in_speech
                self.in_speech = None
            case ipc.ResponseCreated(response_id):
                assert response_id not in self.opened
                self.opened.add(response_id)
            case ipc.ResponseDone(response_id, request=request):
                self.opened.remove(response_id)
                self.reported.update([request] if request else [])
            case ipc.Error(details=details):
                self.reported.update([details["request"]] if "request" in details else [])
            case _:
                pass
        assert len(self.opened) <= 2

    def _check_corrections(self, cut: inputs.Cut, told: list[Effect]) -> None:
        """Every cut item gets exactly one truncate or delete, none where its session is gone."""
        corrected = Counter(
            effect.event.item_id
            for effect in told
            if isinstance(effect, effects.SendEvent)
            and isinstance(effect.event, events.TruncateItem | events.DeleteItem)
        )
        known = self.server.audio_ms if self.server and self.conversation.session.up else {}
        cut_items = {each.part.item_id for each in cut.heard.parts}
        for item_id in cut_items:
            assert corrected[item_id] == (item_id in known)
        beside = self.server.beside if self.server else set()
        cancels = [
            each
            for each in sent(told)
            if isinstance(each, events.CancelResponse) and each.response_id not in beside
        ]
        client_managed_turns = self.conversation.session.client_managed_turns
        assert not cancels or cut.cause != "server_vad" or client_managed_turns, (
            "the server cancels by itself"
        )
        for each in cut.heard.parts:
            assert each.played_ms <= each.received_ms
        assert all(item_id in cut_items or not self.delivered[item_id] for item_id in corrected)

    def _check(self) -> None:
        """What waits has a timer; nothing grows; only one response is not done."""
        state = self.conversation.state
        match state.phase:
            case Hearing():
                assert Timer.HEARING in self.timers
            case Awaiting():
                assert Timer.RESPONSE_CREATED in self.timers
            case Thinking():
                assert Timer.DELTA in self.timers
            case Speaking(generating=True):
                assert Timer.DELTA in self.timers
            case _:
                pass
        if state.requests.asking is not None or state.requests.rejects_unasked:
            assert Timer.RESPONSE_CREATED in self.timers
        if state.responses.active is not None:
            assert Timer.DELTA in self.timers
        elif len(state.requests) and state.session.up and isinstance(state.phase, Listening):
            assert Timer.ASK in self.timers or Timer.RESPONSE_CREATED in self.timers
        if state.session.configuration.awaited:
            assert Timer.CONFIGURE in self.timers
        if state.session.configuration.changes.current is not None:
            assert Timer.CHANGE in self.timers
        assert len(state.pending_replies._pending) <= len(self.unanswered)
        unfinished = [key for key, answer in state.responses._responses.items() if not answer.done]
        assert unfinished == ([state.responses.active] if state.responses.active else [])
        assert state.responses.accepting in (None, state.responses.active)
        assert len(state.responses._responses) <= 12
        self._check_interruption()

    def _check_interruption(self) -> None:
        """A hold is what it says and has an end; who is muted or offline holds and presses nothing."""
        state, hold = self.conversation.state, self.conversation.interruption.hold
        assert (hold is not None) == self.playback._pending.held
        if hold is not None:
            assert self.now <= self.timers[Timer.HOLD] <= hold.at + state.session.rules.hold_max_ms / 1000
            assert state.session.up
            assert not state.mute.on
        else:
            assert Timer.HOLD not in self.timers
        assert state.responses.protected == (Timer.PROTECTED in self.timers)
        pressed = state.push_to_talk.pressed
        assert pressed == (state.phase == Hearing(None)) == (self.gate is effects.MicrophoneGate.TALK)
        assert not pressed or (state.session.up and not state.mute.on)
        assert not (state.session.up and state.mute.on) or self.gate is not effects.MicrophoneGate.OPEN

    # ------------------------------------------------------------- commands

    def command(
        self,
        command: commands.ForConversation,
        until: WallClock | None = None,
        expires_s: float | None = None,
    ) -> str:
        self.tickets += 1
        self.unanswered.add(self.tickets)
        request = f"q{self.tickets}"
        heard, up = isinstance(self.conversation.phase, Hearing), self.conversation.session.up
        expires = None if expires_s is None else Monotonic(self.now + expires_s)
        self.dispatch(inputs.Commanded(self.tickets, request, command, until, expires))
        asks = isinstance(command, commands.Ask | commands.Say) and not command.wait
        if asks and up and len(self.conversation.state.requests) < 100:
            self.asked[request] = heard and isinstance(command, commands.Ask)
        return request

    def configure(
        self,
        *,
        speed: float | None = None,
        policy: PolicySetting | None = None,
        detection: Detection | None = None,
    ) -> None:
        """Run with another configuration; the server refuses what is too fast."""
        self.tickets += 1
        self.unanswered.add(self.tickets)
        config, rules = self.before[self.tickets] = self.wanted
        rules = replace(rules, policy=policy or rules.policy)
        config = replace(
            config,
            speed=speed or config.speed,
            detection=detection or config.detection,
            client_managed_turns=rules.policy in CLIENT_MANAGED,
        )
        self.wanted = config, rules
        self.dispatch(inputs.Configure(config, setting(self.tickets), rules))

    # ---------------------------------------------------------------- voice

    def hear_voice(self, voice: bool) -> None:
        """Our own VAD says so, if it runs."""
        if voice != self.voice and self.conversation.state.echo.vad:
            self.voice = voice
            at = self.now - 0.064
            self.dispatch(VoiceStarted(at) if voice else VoiceStopped(at))

    def echo(self, state: EchoState, *, vad: bool) -> None:
        self.voice = self.voice and vad
        self.dispatch(EchoChanged("auto", state, vad))

    # ----------------------------------------------------------------- link

    def connect(self) -> None:
        self.sessions += 1
        self.server = ModelServer(self.sessions, self.habits)
        self.to_server.clear()
        self.dispatch(LinkConnecting(0))

    def lose_link(self, how: Input) -> None:
        self.server = None
        self.to_server.clear()
        self.creating = False
        self.dispatch(how)

    def server_reads(self, most: int = 1) -> None:
        for _ in range(most):
            if self.server is not None and self.to_server:
                self.server.take(self.to_server.popleft())

    def client_reads(self, most: int = 1) -> None:
        for _ in range(most):
            if self.server is None or not self.server.told:
                return
            event = self.server.told.popleft()
            if isinstance(event, events.AudioDelta):
                self.delivered[event.part.response_id] += len(event.pcm)
                self.delivered[event.part.item_id] += len(event.pcm)
            begins = events.ResponseCreated | events.ServerError
            if isinstance(event, begins) or not self.habits.announces_responses:
                self.creating = False
            unheard = (
                isinstance(event, events.OutputItemAdded)
                and event.response_id in self.dead
                and event.response_id not in self.server.beside
            )
            self.dispatch(event)
            if unheard and isinstance(event, events.OutputItemAdded):
                assert events.DeleteItem(event.item_id) in self.to_server, "nobody will hear it"
            if isinstance(event, events.ResponseDone) and event.response_id not in self.dead:
                assert self.played[event.response_id] == self.delivered[event.response_id], "not whole"

    # ---------------------------------------------------------------- time

    def pass_time(self, ms: int, *, report: bool = True) -> None:
        """The speaker plays, and timers fire."""
        self.playback.take(WIRE.frames(ms))
        self.playback.note(WIRE.block, 0.0)
        if report:
            self.report()
        until = self.now + ms / 1000
        while due := sorted((at, str(timer), timer) for timer, at in self.timers.items() if at <= until):
            at, _, timer = due[0]
            self.now = max(self.now, at)
            del self.timers[timer]
            if timer == Timer.RESPONSE_CREATED:
                self.creating = False
            self.dispatch(inputs.TimerFired(timer))
        self.now = max(self.now, until)

    def report(self) -> None:
        for moved in self.playback.reports():
            if isinstance(moved, Drained) and moved.idle and self.playback.sounding:
                self.dispatch(replace(moved, idle=False))
            else:
                self.dispatch(moved)
        if isinstance(self.conversation.phase, Speaking) and not self.conversation.phase.generating:
            assert self.playback._ledger._entries, "nothing will ever end this"

    # -------------------------------------------------------------- settling

    def settle(self) -> None:
        """Everything works again, and nobody says a word for a while."""
        if self.conversation.mute.on:
            self.command(commands.Mute("off"))
        self.command(commands.Talk("cancel"))
        self.hear_voice(False)
        for _ in range(600):
            if self.server is None:
                self.connect()
            assert self.server
            if self.server.speaking:
                self.server.silence()
            self.server_reads(100)
            self.server.generate(100)
            self.client_reads(100)
            self.pass_time(1000)
            quiet = isinstance(self.conversation.phase, Listening) and not self.conversation.state.requests
            if quiet and not self.server.told and not self.to_server and not self.timers:
                return
        raise AssertionError(f"no rest: {self.conversation.phase} {self.timers} {self.server}")

    def turn(self) -> None:
        """The user speaks and is answered, audibly and to the end."""
        assert self.server
        if self.server.config.detection == "none":
            assert self.gate == effects.MicrophoneGate.CLOSED
            self.command(commands.Talk("press"))
            self.pass_time(500)
            self.command(commands.Talk("release"))
        else:
            assert self.gate == effects.MicrophoneGate.OPEN
            self.server.speech()
            self.client_reads(100)
            assert isinstance(self.conversation.phase, Hearing)
            self.server.silence()
            self.client_reads(100)
        self.server_reads(100)
        active = self.server.active
        assert active
        self.server.generate(3)
        self.client_reads(100)
        assert phase_of(self.conversation) == Speaking(active.response_id)
        self.server.generate(100)
        self.client_reads(100)
        assert self.played[active.response_id] == self.delivered[active.response_id] > 0
        self.pass_time(2000)
        self.pass_time(100)
        assert phase_of(self.conversation) == Listening()
