"""Random histories of server, user, commands, losses and time; `World` holds the invariants."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from model_server import Habits
from model_world import World
from rtvoice.inputs import DeviceChanged, LinkFailed, LinkLost
from rtvoice.ipc import commands
from rtvoice.realtime import events
from rtvoice.states import Listening

HABITS = st.builds(Habits, st.booleans(), st.sampled_from([True, True, False]), st.booleans())


class ConversationMachine(RuleBasedStateMachine):
    world: World

    @initialize(habits=HABITS)
    def begin(self, habits: Habits) -> None:
        self.world = World(habits)
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
        return self.ready and not isinstance(self.world.conversation.state, Listening)

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

    @precondition(lambda self: self.ready and self.world.server.speaking is None)
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

    @precondition(lambda self: self.ready and self.world.server.speaking is None)
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
        if how == "speech" and world.server is server and server.speaking is None:
            server.speech()
        if how == "interrupt":
            world.command(commands.Interrupt())
        if how == "ask":
            world.command(commands.Ask("and?", wait=True))
        if how == "mute":
            world.command(commands.Mute("toggle"))

    @rule(speed=st.sampled_from([0.8, 1.2, 9.0]))
    def configure(self, speed: float) -> None:
        self.world.configure(speed)

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
        self.world.command(commands.Mute("on", 5.0), until=1000.0)

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
        assert world.conversation.talk.answers._answers == {}
        lost = {request for request, absorbed in world.asked.items() if not absorbed}
        assert lost - world.reported.keys() == set()
        world.turn()


ConversationMachine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestConversation = ConversationMachine.TestCase
