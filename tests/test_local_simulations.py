"""What goes wrong on demand at the embedded server."""

from rtvoice.audio.pcm import WIRE
from rtvoice.local import simulations
from rtvoice.local.ears_worker import decoder, recognise
from talking import voiced


def test_it_can_be_asked_for_aloud() -> None:
    ears = decoder()
    spoken = [WIRE.silence(300) + voiced(text) + WIRE.silence(500) for text in simulations.TEXTS]

    assert [recognise(ears, audio) for audio in spoken] == list(simulations.TEXTS)


def test_it_is_the_whole_text_or_nothing() -> None:
    assert simulations.failure("Simulate a failure") is None
    assert simulations.failure("  SIMULATE, failure! ") == simulations.failure("simulate failure")
    assert simulations.failure("simulate failure") is not None
    assert not simulations.filtered("please simulate content filter for me")
    assert simulations.unheard("simulate transcription failure.")
    assert simulations.failure("simulate failure " * 1000) is None
