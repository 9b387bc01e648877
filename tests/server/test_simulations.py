"""What goes wrong on demand at the embedded server."""

from rtvoiced_server.answers import simulations
from rtvoiced_server.speech.recogniser import Commands
from rtvoiced_server.speech.recogniser_worker import samples
from support.talking import turn


def test_it_can_be_asked_for_aloud() -> None:
    commands = Commands()
    heard = [commands.hear(samples(turn(text)), ()).words for text in simulations.TEXTS]

    assert heard == list(simulations.TEXTS)


def test_it_is_the_whole_text_or_nothing() -> None:
    assert simulations.failure("Simulate a failure") is None
    assert simulations.failure("  SIMULATE, failure! ") == simulations.failure("simulate failure")
    assert simulations.failure("simulate failure") is not None
    assert not simulations.filtered("please simulate content filter for me")
    assert simulations.unheard("simulate transcription failure.")
    assert simulations.failure("simulate failure " * 1000) is None
