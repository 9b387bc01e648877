"""Who may interrupt: the policy that can be kept, how long an answer is held, and what is an echo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvoiced.clocks import Monotonic
from rtvoiced.conversation.policy import (
    InterruptionRules,
    VoiceActivity,
    in_force,
    is_echo,
    resume_at,
    spoken_at,
    spoken_s,
)
from rtvoiced.vocabulary import PolicySetting, words

RULES = InterruptionRules()


def heard(started_at: float, stopped_at: float | None = None) -> VoiceActivity:
    stopped = None if stopped_at is None else Monotonic(stopped_at)
    return VoiceActivity(Monotonic(started_at), stopped)


@pytest.mark.parametrize(
    ("policy", "cancels", "vad", "kept"),
    [
        ("auto", True, True, "hold"),
        ("auto", False, True, "server"),
        ("auto", True, False, "server"),
        ("auto", False, False, "server"),
        ("hold", False, True, "hold"),
        ("hold", True, False, "server"),
        ("server", True, True, "server"),
    ],
)
def test_the_servers_word_counts_where_it_interrupts_by_itself(
    policy: PolicySetting, cancels: bool, vad: bool, kept: str
) -> None:
    assert (
        in_force(policy, detection="server_vad", client_managed_turns=False, cancels=cancels, vad=vad) == kept
    )


@pytest.mark.parametrize("policy", ["managed", "manual"])
@pytest.mark.parametrize("vad", [True, False])
def test_policies_that_need_the_servers_hands_off_are_kept_only_with_that(
    policy: PolicySetting, vad: bool
) -> None:
    assert (
        in_force(policy, detection="semantic_vad", client_managed_turns=True, cancels=vad, vad=vad) == policy
    )
    assert (
        in_force(policy, detection="semantic_vad", client_managed_turns=False, cancels=vad, vad=vad)
        == "server"
    )


@pytest.mark.parametrize("policy", ["auto", "server", "hold"])
def test_while_the_server_still_has_its_hands_off_we_answer_and_interrupt(policy: PolicySetting) -> None:
    assert (
        in_force(policy, detection="server_vad", client_managed_turns=True, cancels=True, vad=True)
        == "managed"
    )


@pytest.mark.parametrize("policy", words(PolicySetting))
@pytest.mark.parametrize("client_managed_turns", [True, False])
def test_without_turn_detection_only_a_hand_interrupts(
    policy: PolicySetting, client_managed_turns: bool
) -> None:
    assert (
        in_force(policy, detection="none", client_managed_turns=client_managed_turns, cancels=True, vad=True)
        == "manual"
    )


@pytest.mark.parametrize(
    ("voice", "at"),
    [
        (None, 10.8),
        (heard(9.9), 12.0),
        (heard(9.9, 10.1), 10.8),
        (heard(9.9, 10.7), 10.9),
        (heard(9.9, 11.9), 12.0),
    ],
)
def test_held_answer_goes_on_when_the_voice_is_quiet_and_at_the_latest_after_two_seconds(
    voice: VoiceActivity | None, at: float
) -> None:
    assert resume_at(RULES, Monotonic(10.0), voice) == pytest.approx(at)


@given(
    st.integers(100, 5000),
    st.integers(100, 10_000),
    st.none() | st.floats(0, 100),
    st.none() | st.floats(0, 9),
)
def test_no_hold_is_longer_than_its_longest(
    hold_ms: int, most_ms: int, started: float | None, lasted: float | None
) -> None:
    voice = None if started is None else heard(started, None if lasted is None else started + lasted)

    assert (
        resume_at(InterruptionRules("hold", hold_ms, most_ms), Monotonic(50.0), voice)
        <= 50.0 + most_ms / 1000
    )


def test_voice_before_the_answer_fell_silent_does_not_count() -> None:
    assert spoken_s(heard(1.0), since=Monotonic(2.0), now=Monotonic(2.75)) == pytest.approx(0.55)
    assert spoken_s(heard(1.0, 1.9), since=Monotonic(2.0), now=Monotonic(2.5)) == 0.0
    assert spoken_s(heard(2.25, 2.75), since=Monotonic(2.0), now=Monotonic(9.0)) == 0.5


def test_voice_of_which_no_end_is_told_yet_may_have_ended_200_ms_ago() -> None:
    assert spoken_s(heard(2.0), since=Monotonic(1.0), now=Monotonic(2.1)) == 0.0
    assert spoken_at(heard(2.0), since=Monotonic(1.0), wanted_s=0.3) == pytest.approx(2.5)
    assert spoken_s(heard(2.0), since=Monotonic(1.0), now=Monotonic(2.5)) == pytest.approx(0.3)


SAID = "Once upon a time there was an old lighthouse on a small island, far out in the northern sea."


@pytest.mark.parametrize(
    ("heard", "echo"),
    [
        ("far out in the northern sea", True),
        ("Far out, in the Northern Sea!", True),
        ("out in a northern see", True),
        ("the sea", False),
        ("what is a lighthouse", False),
        ("stop that please", False),
        ("sea northern the in out far", False),
        ("", False),
        ("...", False),
    ],
)
def test_our_own_words_in_their_order_are_an_echo(heard: str, echo: bool) -> None:
    assert is_echo(heard, SAID) is echo


def test_what_was_said_long_before_is_no_echo_any_more() -> None:
    assert is_echo("there was an old lighthouse", SAID)
    assert not is_echo("there was an old lighthouse", SAID + " And then this and that." * 5)
