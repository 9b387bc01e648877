"""Policies, push-to-talk and protected words of a whole daemon: what the server and a listener get."""

from __future__ import annotations

import base64
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from support.running import Room, Running, eventually, room
from support.scripted_server import Script, Visit, Wire
from support.stage import APPEND, Seat, Stage, flat, stage

ANSWER, NEXT = 1000, 2000
"""Sample values: who is heard can be counted."""
UPDATE = "session.update"


def detection(update: Wire) -> Any:
    return update["session"]["audio"]["input"]["turn_detection"]


async def obedient(visit: Visit) -> None:
    """Take every configuration."""
    session = (await visit.configure())["session"]
    for count in range(2, 50):
        update = await visit.sent(UPDATE, count)
        session["audio"]["input"] |= update["session"]["audio"].get("input", {})
        await visit.send({"type": "session.updated", "session": session})


async def headstrong(visit: Visit) -> None:
    """Take every configuration but to leave interrupting to others."""
    await visit.send({"type": "session.created", "session": {"id": "s", "type": "realtime"}})
    for count in range(1, 50):
        session = (await visit.sent(UPDATE, count))["session"]
        detection({"session": session}).update(create_response=True, interrupt_response=True)
        await visit.send({"type": "session.updated", "session": session})


@dataclass
class Scene:
    """A daemon with a speaker, and the server's side of its session."""

    here: Room
    daemon: Running
    stage: Stage
    seat: Seat

    def turn(self, user_item: str, response: str, item: str, ms: int, words: str = "One two three.") -> None:
        """The user speaks, and is answered when the daemon asks for that."""
        asked = len(self.seat.visit.events("response.create"))
        self.seat.speech_started(user_item)
        self.seat.speech_stopped(user_item, "go on")
        self.seat.sent("response.create", asked + 1)
        self.seat.say(flat(ms, ANSWER), words, response, item)

    def speaks(self, least_ms: int = 100) -> None:
        """Wait until a listener has heard some of an answer."""
        eventually(lambda: (self.daemon.data("status")["response"] or {}).get("played_ms", 0) >= least_ms)

    def heard(self) -> NDArray[np.int16]:
        """End the daemon and return what a listener heard."""
        self.daemon.stop()
        with wave.open(str(self.here.path / "heard.wav")) as file:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@contextmanager
def scene(
    *words: str, script: Script = obedient, microphone: NDArray[np.int16] | None = None
) -> Iterator[Scene]:
    with room() as here, stage(script) as server:
        spoken = ""
        if microphone is not None:
            spoken = str(here.path / "spoken.wav")
            with wave.open(spoken, "wb") as file:
                file.setparams((1, 2, WIRE.hz, 0, "NONE", ""))
                file.writeframes(microphone.astype("<i2").tobytes())
        card = f"wav:{spoken},{here.path}/heard.wav"
        with Running(here, "--url", server.url, "--audio", card, *words) as daemon:
            daemon.until(connection="up")
            visit = server.do(server.server.visit(0))
            yield Scene(here, daemon, server, Seat(server, visit))


def set_to(policy: str) -> tuple[str, str]:
    return "--set", f"interruption.policy={policy}"


def count_ms(heard: NDArray[np.int16], value: int) -> float:
    return float(np.count_nonzero(heard == value)) * 1000 / WIRE.hz


def test_managed_cough_leaves_no_trace_but_a_short_pause() -> None:
    with scene(*set_to("managed")) as here:
        assert here.daemon.data("status")["interruption"] == "managed"
        here.turn("u1", "r1", "i1", 1500)
        here.speaks(300)
        here.seat.speech_started("u2")
        held = here.daemon.wait("playback", status="held")["data"]
        here.seat.speech_stopped("u2", "")
        resumed = here.daemon.wait("playback", status="resumed")["data"]
        drained = here.daemon.wait("playback", status="drained")["data"]
        sent = here.seat.corrections()
        asked = here.seat.visit.events("response.create")
        stats = here.daemon.data("stats")
        spoken = [each["data"]["item_id"] for each in here.daemon.named("speech_started")]
        history = here.daemon.data("history")["items"]
        heard = here.heard()

    assert resumed["played_ms"] == held["played_ms"] - 200
    assert drained["played_ms"] == 1500
    assert sent == [{"type": "conversation.item.delete", "item_id": "u2"}]
    assert [each["response"]["metadata"] for each in asked] == [{"kind": "turn"}]
    assert spoken == ["u1"]
    assert [(each["role"], each["text"]) for each in history] == [
        ("user", "go on"),
        ("assistant", "One two three."),
    ]
    assert (stats["resumes"], stats["false_holds"], stats["interrupts"]) == (1, 1, 0)
    # The last 200 ms twice, but for the two fades.
    assert 1500 + 200 - 12 <= count_ms(heard, ANSWER) <= 1500 + 200


def test_managed_speech_cuts_where_it_was_held_and_is_answered_by_our_own_request() -> None:
    with scene(*set_to("managed")) as here:
        here.turn("u1", "r1", "i1", 3000)
        here.speaks(300)
        here.seat.speech_started("u2")
        held = here.daemon.wait("playback", status="held")["data"]
        cut = here.daemon.wait("interrupt")["data"]
        started = here.daemon.wait("speech_started", item_id="u2")
        here.seat.speech_stopped("u2", "stop")
        here.seat.sent("response.create", 2)
        here.seat.say(flat(200, NEXT), "Okay.", "r2", "i2")
        here.daemon.wait("playback", item_id="i2", status="drained")
        sent = here.seat.corrections()
        heard = here.heard()

    assert (cut["cause"], cut["played_ms"]) == ("server_vad", held["played_ms"])
    assert cut["onset_to_decision_ms"] is None
    assert started["data"]["source"] == "server"
    assert sent == [
        {
            "type": "conversation.item.truncate",
            "item_id": "i1",
            "content_index": 0,
            "audio_end_ms": held["played_ms"],
        }
    ]
    assert abs(count_ms(heard, ANSWER) - held["played_ms"]) <= 6
    assert count_ms(heard, NEXT) == 200


def test_manual_goes_on_and_answers_what_was_said_over_it_afterwards() -> None:
    with scene(*set_to("manual")) as here:
        here.turn("u1", "r1", "i1", 1200)
        here.speaks(300)
        here.seat.speech_started("u2")
        here.daemon.wait("speech_started", item_id="u2")
        here.seat.speech_stopped("u2", "wait")
        here.daemon.wait("speech_stopped", item_id="u2")
        asked_early = len(here.seat.visit.events("response.create"))
        drained = here.daemon.wait("playback", item_id="i1", status="drained")
        here.seat.sent("response.create", 2)
        sent = here.seat.corrections()
        named = here.daemon.named("interrupt", "error")
        heard = here.heard()

    assert asked_early == 1
    assert drained["data"]["played_ms"] == 1200
    assert (sent, named) == ([], [])
    assert count_ms(heard, ANSWER) == 1200


def test_policies_are_switched_live_and_the_server_is_told() -> None:
    with scene() as here:
        seen = []
        for policy in ("managed", "hold", "manual", "server"):
            told = here.here.rtctl("set", "interruption.policy", policy)
            seen.append((told.returncode, here.daemon.data("status")["interruption"]))
        flags = [
            (detection(each)["create_response"], detection(each)["interrupt_response"])
            for each in here.seat.visit.events(UPDATE)
        ]

    # There is no VAD of our own here: hold is server.
    assert seen == [(0, "managed"), (0, "server"), (0, "manual"), (0, "server")]
    assert flags == [(True, True), (False, False), (True, True), (False, False), (True, True)]


def test_server_that_interrupts_by_itself_is_refused_by_name() -> None:
    """P16."""
    with scene(script=headstrong) as here:
        told = here.here.rtctl("set", "interruption.policy", "manual")
        status = here.daemon.data("status")
        value = here.daemon.data("get", key="interruption.policy")["value"]

    assert told.returncode == 77
    assert "interruption.policy = manual" in told.stderr
    assert (status["interruption"], value) == ("server", "auto")


def test_server_that_interrupts_by_itself_is_found_out_at_the_start() -> None:
    """P16."""
    with scene(*set_to("managed"), script=headstrong) as here:
        error = here.daemon.wait("error")["data"]
        status = here.daemon.data("status")

    assert (error["code"], error["details"]) == ("not_allowed", {"key": "interruption.policy"})
    assert (status["interruption"], status["last_error"]["code"]) == ("server", "not_allowed")


def test_protected_words_are_heard_to_their_end() -> None:
    with scene() as here:
        request = here.daemon.post("say", text="Fire!", interruptible=False, wait=True)
        here.seat.sent("response.create")
        created = {"id": "r1", "status": "in_progress", "metadata": {"kind": "say", "request": request}}
        here.seat.send({"type": "response.created", "response": created})
        here.seat.delta("r1", "i1", flat(1200, ANSWER), "Fire!")
        here.seat.end("r1", "i1", "Fire!")
        here.speaks(200)
        here.seat.speech_started("u1")
        here.daemon.wait("speech_started")
        here.seat.speech_stopped("u1", "where?")
        here.seat.say(flat(200, NEXT), "There.", "r2", "i2")
        assert here.daemon.reply(request)["ok"]
        here.daemon.wait("playback", item_id="i2", status="drained")
        cuts = here.daemon.named("interrupt")
        heard = here.heard()

    assert cuts == []
    assert (count_ms(heard, ANSWER), count_ms(heard, NEXT)) == (1200, 200)


BLOCK = WIRE.frames(20)
NUMBERED = np.repeat(np.arange(1, 1501, dtype=np.int16), BLOCK)
"""30 s of a microphone whose every 20 ms are told from all others."""


def blocks(visit: Visit) -> list[tuple[str, int]]:
    """What the client sent in order: its events, and of audio the number of the block."""
    told = []
    for each in visit.received:
        kind = str(each.event["type"])
        if kind == APPEND:
            samples = np.frombuffer(base64.b64decode(each.event["audio"]), "<i2")
            told.append((kind, int(samples[0])))
        else:
            told.append((kind, 0))
    return told


def test_push_to_talk_keeps_what_was_said_just_before_the_press() -> None:
    """P19."""
    with scene(microphone=NUMBERED) as here:
        here.seat.say(flat(2000, ANSWER), "One two three.", "r1", "i1")
        here.speaks(500)
        assert here.here.rtctl("talk", "press").returncode == 0
        here.daemon.until(push_to_talk=True)
        cut = here.daemon.wait("interrupt")["data"]
        here.seat.sent(UPDATE, 2)
        here.seat.corrections()
        pressed = here.daemon.data("talk", action="press")
        eventually(lambda: here.daemon.data("talk", action="press")["held_ms"] >= 200)
        assert here.here.rtctl("talk", "release").stdout.startswith("done after")
        here.seat.sent(UPDATE, 3)
        stopped = here.daemon.wait("speech_stopped")["data"]
        told = blocks(here.seat.visit)
        updates = here.seat.visit.events(UPDATE)
        again = here.here.rtctl("talk", "release")

    kinds = [kind for kind, _ in told if kind not in (APPEND, "session.update")]
    assert kinds == [
        "input_audio_buffer.clear",
        "conversation.item.truncate",
        "input_audio_buffer.commit",
        "response.create",
    ]
    assert (cut["cause"], pressed["changed"]) == ("push_to_talk", False)
    assert (stopped["source"], stopped["reason"]) == ("push_to_talk", "release")
    assert detection(updates[1]) is None
    assert detection(updates[2])["type"] == "server_vad"
    assert (again.returncode, "not pressed" in again.stderr) == (77, True)

    clear, commit = [at for at, (kind, _) in enumerate(told) if kind.startswith("input_audio_buffer.c")]
    before = [number for kind, number in told[:clear] if kind == APPEND]
    turn = [number for kind, number in told[clear:commit] if kind == APPEND]
    # 300 ms from before the press are in the server's buffer again, then it goes on without a gap.
    assert turn == list(range(turn[0], turn[0] + len(turn)))
    assert turn[0] == before[-1] - 14
    assert len(turn) >= 15 + 10


def test_without_turn_detection_nothing_leaves_but_under_a_press() -> None:
    with scene("--set", "turn.detection=none", microphone=NUMBERED) as here:
        assert here.daemon.data("status")["interruption"] == "manual"
        here.daemon.live_on()
        assert here.seat.visit.events(APPEND) == []
        here.daemon.data("talk", action="press")
        eventually(lambda: here.daemon.data("talk", action="press")["held_ms"] >= 100)
        assert here.daemon.data("talk", action="release")["held_ms"] >= 100
        here.seat.sent("response.create")
        told = blocks(here.seat.visit)
        kinds = [kind for kind, _ in told if kind != APPEND]

    assert kinds == [
        *("session.update", "input_audio_buffer.clear", "input_audio_buffer.commit", "response.create")
    ]
    assert told[-2:] == [("input_audio_buffer.commit", 0), ("response.create", 0)]


def test_slip_of_the_finger_is_a_clear_no() -> None:
    with scene("--set", "turn.detection=none") as here:
        pressed, released = (
            here.daemon.post("talk", action="press"),
            here.daemon.post("talk", action="release"),
        )
        assert here.daemon.reply(pressed)["ok"]
        error = here.daemon.reply(released)["error"]
        here.seat.sent("input_audio_buffer.clear", 2)
        kinds = {str(each.event["type"]) for each in here.seat.visit.received}
        muted = here.here.rtctl("mute")
        refused = here.here.rtctl("talk", "press")

    assert (error["code"], error["details"]) == ("bad_args", {"arg": "action"})
    assert "input_audio_buffer.commit" not in kinds
    assert (muted.returncode, refused.returncode) == (0, 77)
    assert "unmute" in refused.stderr
