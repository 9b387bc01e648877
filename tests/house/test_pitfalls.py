"""The pitfalls of interrupting and of echo, by their numbers: each has a test, or a reason why not.

They were met in other voice programs; what each number means stands beside it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
Tests = tuple[str, ...]

PITFALLS: dict[int, tuple[str, Tests | str]] = {
    1: (
        "the player deadlocks with whoever flushes its queue",
        ("audio/playback/test_queue::test_flushes_beside_a_thread_that_takes_never_hold_the_loop_up",),
    ),
    2: (
        "a truncate longer than the item, or its error, ends everything",
        (
            "audio/playback/test_queue::test_books_are_true_whatever_happens",
            "audio/playback/test_queue_hold::test_books_only_go_forward_whatever_happens",
            "audio/playback/test_ledger::test_played_ms_is_rounded_down",
            "conversation/test_machine::test_error_without_harm_is_not_told",
        ),
    ),
    3: (
        "a truncate at 0 ms",
        (
            "daemon/test_interrupt::test_before_the_first_audio_deletes",
            "conversation/test_machine::test_item_of_which_nothing_was_heard_is_deleted",
        ),
    ),
    4: (
        "a truncate with nothing to cut",
        (
            "daemon/test_interrupt::test_speech_after_an_answer_cuts_nothing",
            "conversation/test_machine::test_speech_after_the_answer_was_heard_corrects_nothing",
        ),
    ),
    5: (
        "no truncate under server VAD",
        (
            "daemon/test_interrupt::test_while_deltas_flow",
            "conversation/test_machine_histories::TestConversation",
        ),
    ),
    6: (
        "two items in one response",
        (
            "conversation/test_machine::test_second_item_that_nobody_heard_is_deleted",
            "conversation/test_machine::test_item_handed_to_the_card_in_whole_was_heard_and_is_not_corrected",
        ),
    ),
    7: (
        "a flush only while a response is active",
        ("daemon/test_interrupt::test_after_generation_ended_nothing_is_cancelled",),
    ),
    8: (
        "a cancel that comes too late is fatal",
        ("conversation/test_machine::test_error_without_harm_is_not_told",),
    ),
    9: (
        "late deltas, and responses that begin after the cut",
        (
            "daemon/test_interrupt::test_while_deltas_flow",
            "conversation/test_machine::test_tail_of_an_interrupted_answer_is_not_played",
            "conversation/test_machine::test_response_that_begins_while_the_user_speaks_is_cancelled",
            "conversation/test_machine::test_answer_after_an_interrupted_one_is_played_whole",
        ),
    ),
    10: (
        "the flush eats the next response",
        (
            "audio/playback/test_queue::test_next_answer_plays_whole_after_a_cut",
            "audio/playback/test_queue::test_books_are_true_whatever_happens",
        ),
    ),
    11: (
        "the fade revives the played time",
        (
            "audio/playback/test_queue::test_second_cut_during_the_fade_leaves_the_fade_alone",
            "audio/playback/test_queue::test_two_cuts_within_50_ms_each_find_their_own_answer",
            "daemon/test_interrupt::test_twice_within_50_ms_cuts_once",
        ),
    ),
    12: (
        "the queue is empty and the card still speaks",
        (
            "audio/thread/test_duplex::test_cut_is_silence_within_the_buffer_target_a_block_and_the_fade",
            "device/test_audio::test_cut_is_silence_within_80_ms",
        ),
    ),
    13: (
        "a click at the cut",
        (
            "audio/playback/test_queue::test_cut_ends_in_a_fade_and_then_silence",
            "audio/playback/test_queue_hold::test_resume_repeats_200_ms_and_rises_without_a_click",
            "audio/playback/test_queue_hold::test_cut_during_the_rise_of_a_resume_has_no_click",
        ),
    ),
    14: (
        "server and client both start responses",
        (
            "conversation/test_interruption::test_request_that_meets_another_response_is_made_again",
            "conversation/test_requests::test_ask_that_meets_another_response_is_asked_again_without_its_item",
            "conversation/test_push_to_talk::test_answer_to_the_turn_before_that_comes_after_the_release_is_not_taken_for_ours",
            "conversation/test_machine_histories::TestConversation",
        ),
    ),
    15: (
        "an interrupt during a tool call loses its result",
        "A session has no tools: no function call can be open when an answer is cut.",
    ),
    16: (
        "interrupt_response stays on where create_response is off",
        (
            "realtime/test_dialects::test_server_that_leaves_interrupting_to_us_creates_nothing_either",
            "conversation/test_interruption::test_policy_that_the_server_does_not_keep_is_refused_by_name",
            "conversation/test_interruption::test_server_that_interrupts_though_it_said_it_would_not_is_found_out",
            "daemon/test_policies::test_server_that_interrupts_by_itself_is_refused_by_name",
            "daemon/test_policies::test_server_that_interrupts_by_itself_is_found_out_at_the_start",
        ),
    ),
    17: (
        "a cough before the answer begins loses the user's turn",
        (
            "conversation/test_interruption::test_cough_before_the_answer_sounds_does_not_lose_it",
            "conversation/test_machine::test_cough_before_the_answer_begins_leaves_the_answer_to_the_next_silence",
        ),
    ),
    18: (
        "a pause that never ends",
        (
            "conversation/test_interruption::test_answer_waits_for_200_ms_of_quiet_and_2_s_at_most",
            "conversation/test_interruption::test_hold_ends_at_once_when",
            "conversation/test_interruption::test_hold_ends_with_a_cut_by",
            "conversation/test_policy::test_no_hold_is_longer_than_its_longest",
            "conversation/test_machine_exhaustive::test_any_input_in_any_state",
            "conversation/test_machine_histories::TestOverlaps",
        ),
    ),
    19: (
        "clearing the input loses the onset of the very speech that caused it",
        (
            "daemon/test_policies::test_push_to_talk_keeps_what_was_said_just_before_the_press",
            "app/test_uplink::test_a_press_sends_the_last_300_ms_first_whether_they_were_sent_or_not",
        ),
    ),
    20: (
        "the assistant interrupts itself",
        (
            "conversation/test_sitting_room::test_assistant_alone_is_never_interrupted",
            "conversation/test_sitting_room::test_without_the_canceller_it_interrupts_itself_all_the_time",
            "conversation/test_sitting_room::test_voice_over_an_answer_cuts_it",
            "audio/capture/test_echo::test_assistant_does_not_hear_itself",
        ),
    ),
    21: (
        "the canceller's reference is taken at the wrong time",
        (
            "audio/capture/test_reference::test_each_block_of_the_microphone_takes_one_of_what_was_written_in_order",
            "audio/capture/test_reference::test_what_was_not_written_is_silence_and_nothing_is_dropped",
            "audio/capture/test_echo::test_microphone_that_is_too_early_is_held_back_and_cancelled",
        ),
    ),
    22: (
        "the first seconds, until the canceller has converged",
        (
            "audio/capture/test_front_end::test_first_two_seconds_of_sound_are_kept_from_the_server",
            "audio/capture/test_front_end::test_who_interrupts_in_the_first_two_seconds_is_passed_on_to_the_server",
            "audio/capture/test_front_end::test_onset_takes_twice_as_long_until_the_canceller_has_had_two_seconds_of_sound",
            "audio/capture/test_front_end::test_what_the_canceller_takes_most_of_is_no_voice_in_the_first_seconds",
            "audio/playback/test_chime::test_canceller_learns_the_room_from_it",
        ),
    ),
    23: (
        "gaps in what the server hears",
        (
            "audio/capture/test_front_end::test_nothing_is_left_out_whatever_happens",
            "audio/capture/test_front_end::test_mode_changes_live_and_loses_no_sound",
            "audio/capture/test_front_end::test_server_gets_silence_for_an_answer_and_for_300_ms_after_it",
        ),
    ),
    24: (
        "the room's tail after an answer",
        ("audio/capture/test_front_end::test_half_duplex_keeps_a_long_room_from_the_server",),
    ),
    25: (
        "two cards whose clocks drift",
        (
            "audio/capture/test_reference::test_faster_speaker_is_followed_by_stretching",
            "audio/capture/test_reference::test_echo_stays_cancelled_while_the_clocks_run_apart",
        ),
    ),
    26: (
        "a voice that begins just before the end of an answer is lost",
        (
            "conversation/test_interruption::test_voice_just_before_the_end_of_an_answer_is_not_lost",
            "audio/capture/test_front_end::test_voice_at_the_end_of_an_answer_is_not_lost",
        ),
    ),
}


def names(module: str) -> set[str]:
    """Return what a test module defines at its top: functions, classes, and names given to them."""
    body = ast.parse((TESTS / f"{module}.py").read_text("utf-8")).body
    defined = {each.name for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
    given = (target for each in body if isinstance(each, ast.Assign) for target in each.targets)
    return defined | {target.id for target in given if isinstance(target, ast.Name)}


def test_they_are_all_there() -> None:
    assert list(PITFALLS) == list(range(1, 27))


@pytest.mark.parametrize("number", PITFALLS)
def test_each_has_its_tests_or_a_reason(number: int) -> None:
    _, shown = PITFALLS[number]
    if isinstance(shown, str):
        assert shown.endswith(".")
        return
    missing = [test for test in shown if test.partition("::")[2] not in names(test.partition("::")[0])]

    assert shown
    assert missing == []
