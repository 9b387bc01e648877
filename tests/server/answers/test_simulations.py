"""What goes wrong on demand at the embedded server."""

from rtvoiced_server.answers import simulations
from rtvoiced_server.speech.recogniser import CommandRecogniser
from rtvoiced_server.speech.recogniser_worker import samples
from support.talking import turn


def test_it_can_be_asked_for_aloud() -> None:
    commands = CommandRecogniser()
    heard = [commands.recognise(samples(turn(text)), ()).words for text in simulations.TEXTS]

    assert heard == list(simulations.TEXTS)


def test_it_is_the_whole_text_or_nothing() -> None:
    assert simulations.simulated_failure("Simulate a failure") is None
    assert simulations.simulated_failure("  SIMULATE, failure! ") == simulations.simulated_failure(
        "simulate failure"
    )
    assert simulations.simulated_failure("simulate failure") is not None
    assert not simulations.asks_for_content_filter("please simulate content filter for me")
    assert simulations.asks_for_failed_transcription("simulate transcription failure.")
    assert simulations.simulated_failure("simulate failure " * 1000) is None
