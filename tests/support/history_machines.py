"""Machines that make random histories of server, user, commands and losses; `World` holds the invariants."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rtvoiced.audio.events import DeviceChanged
from rtvoiced.clocks import WallClock
from rtvoiced.conversation.phases import Listening
from rtvoiced.ipc.contract import commands
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkFailed, LinkLost
from rtvoiced.vocabulary import Detection, EchoState, PolicySetting, TalkAction, words
from support.model_server import Habits, ModelServer
from support.model_world import World

MOSTLY = st.sampled_from([True, True, True, False])
HABITS = st.builds(Habits, st.booleans(), st.sampled_from([True, True, False]), st.booleans(), MOSTLY, MOSTLY)


class ConversationMachine(RuleBasedStateMachine):
    world: World

    @initialize(
        habits=HABITS,
        policy=st.sampled_from(words(PolicySetting)),
        detection=st.sampled_from(["server_vad", "server_vad", "semantic_vad", "none"]),
        echo=st.sampled_from([("off", False), ("on", True), ("on", True)]),
    )
    def begin(
        self, habits: Habits, policy: PolicySetting, detection: Detection, echo: tuple[EchoState, bool]
    ) -> None:
        self.world = World(habits)
        self.world.configure(policy=policy, detection=detection)
        self.world.echo(echo[0], vad=echo[1])
        self.connected()

    def connected(self) -> None:
        self.world.connect()
        for _ in range(2):
            self.world.client_reads()
            self.world.server_reads()

    # ------------------------------------------------------------ the link

    @rule(most=st.integers(1, 6))
    def server_reads(self, most: int) -> None:
        self.world.server_reads(most)

    @rule(most=st.integers(1, 12))
    def client_reads(self, most: int) -> None:
        self.world.client_reads(most)

    @precondition(lambda self: self.world.server is None)
    @rule(at_once=st.sampled_from([True, True, False]))
    def connect(self, at_once: bool) -> None:
        if at_once:
            self.connected()
        else:
            self.world.connect()

    @precondition(lambda self: self.eventful)
    @rule(failed=st.booleans())
    def lose_link(self, failed: bool) -> None:
        self.world.lose_link(LinkFailed("no", 600.0) if failed else LinkLost("closed", 1, 0.1))

    @precondition(lambda self: self.eventful and self.world.playback.sounding)
    @rule(interrupted=st.booleans())
    def new_session_while_an_answer_sounds(self, interrupted: bool) -> None:
        self.world.lose_link(LinkLost("closed", 1, 0.0))
        self.connected()
        self.world.client_reads(10)
        if interrupted:
            self.world.command(commands.Interrupt())

    @precondition(lambda self: self.eventful)
    @rule(
        code=st.sampled_from(
            ["session_expired", "server_error", "invalid_api_key", "response_cancel_not_active"]
        )
    )
    def server_complains(self, code: str) -> None:
        assert self.world.server
        self.world.server.told.append(events.ServerError(code, "no"))

    @property
    def eventful(self) -> bool:
        """Something is going on that a loss can disturb."""
        return self.ready and not isinstance(self.world.conversation.phase, Listening)

    @precondition(lambda self: self.ready)
    @rule(ms=st.sampled_from([20, 150, 300]), generated=st.integers(0, 6))
    def things_take_their_course(self, ms: int, generated: int) -> None:
        assert self.world.server
        self.world.server_reads(10)
        if self.world.server is not None:
            self.world.server.generate(generated)
            self.world.client_reads(20)
        self.world.pass_time(ms)

    # ---------------------------------------------------------- the server

    @precondition(lambda self: self.world.server is not None and self.world.server.active is not None)
    @rule(most=st.integers(1, 12))
    def generate(self, most: int) -> None:
        assert self.world.server
        self.world.server.generate(most)

    @precondition(lambda self: self.ready and not self.world.server.speaking)
    @rule(deltas=st.integers(0, 5), items=st.integers(0, 3))
    def server_speaks_unasked(self, deltas: int, items: int) -> None:
        assert self.world.server
        if self.world.server.active is None:
            self.world.server.respond(None, items, deltas)

    # ------------------------------------------------------------ the user

    @property
    def ready(self) -> bool:
        return self.world.server is not None and self.world.conversation.session.up

    @property
    def listened(self) -> bool:
        """The server's VAD may begin to hear somebody."""
        server = self.world.server
        return self.ready and server is not None and not server.speaking and server.config.detection != "none"

    @precondition(lambda self: self.listened)
    @rule()
    def speech(self) -> None:
        """Even while muted: the server is behind."""
        assert self.world.server
        self.world.server.speech()

    @precondition(lambda self: self.ready and self.world.server.speaking is not None)
    @rule()
    def silence(self) -> None:
        assert self.world.server
        self.world.server.silence()

    @precondition(lambda self: self.world.conversation.state.echo.vad)
    @rule(voice=st.booleans())
    def voice(self, voice: bool) -> None:
        """What our own VAD hears, with or without the server's."""
        self.world.hear_voice(voice)

    @precondition(lambda self: self.listened and self.world.conversation.state.echo.vad)
    @rule(ms=st.sampled_from([50, 200, 500, 900, 2500]), lag_ms=st.sampled_from([0, 100, 600]))
    def overlap(self, ms: int, lag_ms: int) -> None:
        """Something is said, or coughed, over whatever goes on; the server hears it later."""
        world, server = self.world, self.world.server
        assert server
        world.hear_voice(True)
        world.pass_time(lag_ms)
        if world.server is server and server.speaking is None and server.config.detection != "none":
            server.speech()
            world.client_reads(20)
        world.pass_time(ms)
        world.hear_voice(False)
        world.pass_time(300)
        if world.server is server and server.speaking is not None:
            server.silence()

    @precondition(lambda self: self.listened and self.world.server.active is None)
    @rule(
        ms=st.sampled_from([50, 250, 500, 900, 2500]),
        lag_ms=st.sampled_from([0, 100, 600, None]),
        how=st.sampled_from(["", "", "", "mute", "press", "lose", "policy", "interrupt", "done", "device"]),
    )
    def spoken_over(self, ms: int, lag_ms: int | None, how: str) -> None:
        """An answer sounds, and somebody speaks or coughs over it, which the server hears late or never."""
        world, server = self.world, self.world.server
        assert server
        server.respond(None, 1, 6)
        server.generate(20 if how == "done" else 8)
        world.client_reads(30)
        world.pass_time(150)
        world.hear_voice(True)
        world.pass_time(lag_ms or 10)
        self.disturb(how)
        if world.server is server and lag_ms is not None and self.listened:
            server.speech()
            world.client_reads(20)
        world.pass_time(ms)
        world.hear_voice(False)
        if world.server is server and server.speaking is not None and ms > 300:
            server.silence()
        world.pass_time(900)

    def disturb(self, how: str) -> None:
        """Something happens while an answer is held, or not."""
        world = self.world
        match how:
            case "mute":
                world.command(commands.Mute("on"))
            case "press":
                world.command(commands.Talk("press"))
            case "lose":
                world.lose_link(LinkLost("closed", 1, 0.1))
            case "policy":
                world.configure(policy="server")
                world.server_reads(5)
                world.client_reads(20)
            case "interrupt":
                world.command(commands.Interrupt())
            case "device":
                world.dispatch(DeviceChanged("output", "lost", "USB", lost_frames=100))

    @precondition(lambda self: self.listened)
    @rule()
    def whole_turn(self) -> None:
        server = self.world.server
        assert server
        server.speech()
        self.world.client_reads(100)
        if self.world.server is server and server.speaking:
            server.silence()
            server.generate(4)
            self.world.client_reads(100)
            self.world.pass_time(150)

    # ------------------------------------------------------------ commands

    @rule(waits=st.booleans(), expires_s=st.sampled_from([None, 3.0, 40.0]))
    def ask(self, waits: bool, expires_s: float | None) -> None:
        self.world.command(commands.Ask("what?", wait=waits), expires_s=expires_s)

    @rule(waits=st.booleans(), expires_s=st.sampled_from([None, 3.0, 40.0]))
    def say(self, waits: bool, expires_s: float | None) -> None:
        self.world.command(commands.Say("Dinner is ready.", wait=waits), expires_s=expires_s)

    @precondition(lambda self: self.ready and self.world.habits.speaks_out_of_band)
    @rule(generated=st.integers(0, 9), how=st.sampled_from(["speech", "interrupt", "ask", "mute"]))
    def disturbed_say(self, generated: int, how: str) -> None:
        """A say as far as this, and then something else."""
        world, server = self.world, self.world.server
        assert server
        world.command(commands.Say("Dinner is ready.", wait=True))
        world.server_reads(10)
        if world.server is not server:
            return
        server.generate(generated)
        world.client_reads(generated)
        if how == "speech" and world.server is server and self.listened:
            server.speech()
        if how == "interrupt":
            world.command(commands.Interrupt())
        if how == "ask":
            world.command(commands.Ask("and?", wait=True))
        if how == "mute":
            world.command(commands.Mute("toggle"))

    @precondition(lambda self: self.ready and self.world.habits.speaks_out_of_band)
    @rule(spoken_over=st.booleans(), generated=st.integers(0, 9), ms=st.sampled_from([50, 300, 800]))
    def protected_say(self, spoken_over: bool, generated: int, ms: int) -> None:
        """A say that is not to be interrupted, as far as this."""
        world, server = self.world, self.world.server
        assert server
        world.command(commands.Say("Dinner is ready.", interruptible=False))
        world.server_reads(10)
        if world.server is server:
            server.generate(generated)
            world.client_reads(10)
            world.pass_time(ms)
        if spoken_over and world.server is server and self.listened:
            server.speech()
            world.client_reads(10)

    @rule(speed=st.sampled_from([0.8, 1.2, 9.0]))
    def configure(self, speed: float) -> None:
        self.world.configure(speed=speed)

    @rule(policy=st.sampled_from(words(PolicySetting)))
    def set_policy(self, policy: PolicySetting) -> None:
        self.world.configure(policy=policy)

    @rule(detection=st.sampled_from(["server_vad", "server_vad", "semantic_vad", "none"]))
    def set_detection(self, detection: Detection) -> None:
        self.world.configure(detection=detection)

    @rule(state=st.sampled_from(["on", "on", "converging", "failed"]), vad=st.booleans())
    def echo_changes(self, state: EchoState, vad: bool) -> None:
        self.world.echo(state, vad=vad)

    @rule(action=st.sampled_from(["press", "release", "release", "cancel"]))
    def talk(self, action: TalkAction) -> None:
        self.world.command(commands.Talk(action))

    @rule(
        command=st.sampled_from(
            [
                commands.Mute("on"),
                commands.Mute("off"),
                commands.Mute("toggle"),
                commands.SetVoice("cedar"),
            ]
        )
    )
    def command(self, command: commands.ForConversation) -> None:
        self.world.command(command)

    @precondition(lambda self: self.eventful)
    @rule()
    def interrupt(self) -> None:
        self.world.command(commands.Interrupt())

    @precondition(lambda self: self.eventful)
    @rule(fresh=st.booleans(), waits=st.booleans())
    def reconnect(self, fresh: bool, waits: bool) -> None:
        self.world.command(commands.Reconnect(fresh, wait=waits), expires_s=30.0 if waits else None)

    @rule()
    def mute_for_a_time(self) -> None:
        self.world.command(commands.Mute("on", 5.0), until=WallClock(1000.0))

    # ------------------------------------------------------- time, devices

    @rule(ms=st.sampled_from([10, 50, 150, 400, 1000]), report=st.booleans())
    def pass_time(self, ms: int, report: bool) -> None:
        self.world.pass_time(ms, report=report)

    @precondition(lambda self: self.eventful)
    @rule(s=st.sampled_from([2, 6, 16, 31, 121]))
    def wait_long(self, s: int) -> None:
        self.world.pass_time(s * 1000)

    @precondition(lambda self: self.eventful)
    @rule(lost_frames=st.integers(0, 240))
    def lose_speaker(self, lost_frames: int) -> None:
        self.world.dispatch(DeviceChanged("output", "lost", "USB", lost_frames=lost_frames))
        self.world.dispatch(DeviceChanged("output", "open", "USB"))

    # ------------------------------------------------------------- the end

    def teardown(self) -> None:
        """From wherever that led, after a quiet while: all that was asked was told, and a turn works."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.settle()
        assert world.in_speech is None
        assert world.opened == set()
        assert world.unanswered == set()
        assert world.conversation.state.responses._responses == {}
        lost = {request for request, absorbed in world.asked.items() if not absorbed}
        assert lost - world.reported.keys() == set()
        world.turn()


class OverlapMachine(RuleBasedStateMachine):
    """The same world, in which all the time somebody speaks, coughs or presses a key over an answer."""

    world: World

    @initialize(
        habits=HABITS,
        policy=st.sampled_from(["auto", "hold", "managed", "managed", "manual"]),
        vad=st.sampled_from([True, True, True, False]),
    )
    def begin(self, habits: Habits, policy: PolicySetting, vad: bool) -> None:
        self.world = World(habits)
        self.world.configure(policy=policy)
        self.world.echo("on", vad=vad)
        self.flow()

    @property
    def server(self) -> ModelServer:
        if self.world.server is None:
            self.world.connect()
        assert self.world.server
        return self.world.server

    def flow(self) -> None:
        for _ in range(3):
            self.world.client_reads(50)
            self.world.server_reads(50)

    @precondition(lambda self: self.world.playback.progress().queued_ms < 3000)
    @rule()
    def answer(self) -> None:
        """An answer sounds, whoever asked for it."""
        server = self.server
        self.flow()
        if self.world.server is server and server.active is None and not server.speaking:
            server.respond(None, 1, 8)
        server.generate(12)
        self.flow()
        self.world.pass_time(50)

    @rule(most=st.integers(1, 30))
    def generate(self, most: int) -> None:
        self.server.generate(most)
        self.flow()

    @rule(voice=st.booleans())
    def voice(self, voice: bool) -> None:
        self.world.hear_voice(voice)

    @rule(ms=st.sampled_from([10, 40, 150, 250, 400, 900, 2200]))
    def pass_time(self, ms: int) -> None:
        self.world.pass_time(ms)

    @rule()
    def speech(self) -> None:
        server = self.server
        self.flow()
        if self.world.server is server and not server.speaking and server.config.detection != "none":
            server.speech()
            self.flow()

    @rule(ms=st.sampled_from([50, 250, 600, 1200]), lag_ms=st.sampled_from([0, 100, 500]))
    def overlap(self, ms: int, lag_ms: int) -> None:
        """Something is said over an answer; the server hears it later, and its end later still."""
        self.answer()
        self.voice(True)
        self.pass_time(lag_ms + 10)
        self.speech()
        self.pass_time(ms)
        self.voice(False)

    @rule()
    def silence(self) -> None:
        if self.server.speaking:
            self.server.silence()
            self.flow()

    @rule(
        command=st.sampled_from(
            [
                *(commands.Talk("press"), commands.Talk("release"), commands.Talk("cancel")),
                *(commands.Mute("toggle"), commands.Interrupt(), commands.Ask("and?")),
                commands.Say("Dinner.", interruptible=False),
            ]
        )
    )
    def command(self, command: commands.ForConversation) -> None:
        self.world.command(command)
        self.flow()

    @rule(policy=st.sampled_from(words(PolicySetting)))
    def set_policy(self, policy: PolicySetting) -> None:
        self.world.configure(policy=policy)
        self.flow()

    @rule(vad=st.booleans())
    def echo(self, vad: bool) -> None:
        self.world.echo("on" if vad else "failed", vad=vad)

    @rule(lost_frames=st.sampled_from([None, 0, 200]))
    def lose(self, lost_frames: int | None) -> None:
        """The link, or with what it held the speaker."""
        if lost_frames is None:
            self.world.lose_link(LinkLost("closed", 1, 0.1))
        else:
            self.world.dispatch(DeviceChanged("output", "lost", "USB", lost_frames=lost_frames))

    def teardown(self) -> None:
        """From wherever that led: nothing is held, all that was asked was told, and a turn works."""
        if hasattr(self, "world"):
            self.world.settle()
            assert self.world.in_speech is None
            assert self.world.opened == set()
            assert self.world.unanswered == set()
            self.world.turn()
