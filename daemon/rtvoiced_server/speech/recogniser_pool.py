"""Hearing: the words in the audio of a turn, by recognisers that all sessions share.

Recognition runs in processes of its own, so that nobody else waits for it. A
command is found by a grammar. Where it goes on with anything at all ("say …"), the
rest is taken down by the language model, or, where that is not installed, heard in
a small vocabulary.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.speech.recogniser import RecognisedSpeech, RecogniserTask
from rtvoiced_server.speech.recogniser_process import ProcessPool

LONGEST_MS = 30_000
"""What is said after that is not heard: recognition takes 2 % of the time, and no command is so long."""
MOST_COMMANDS = 2
"""Processes for commands: two turns that end together are heard together, where there are two cores."""
LEAD_MS = 100
"""Silence that is put before a dictation, which begins within a turn: as much as the model expects."""


class RecogniserPool:
    """The recognisers that all sessions share: some for commands, one for anything else.

    A dictation takes many times as long as a command, so it has a process of its own.
    """

    def __init__(self, commands: ProcessPool | None = None, dictation: ProcessPool | None = None) -> None:
        self._commands = commands or ProcessPool(min(MOST_COMMANDS, os.cpu_count() or 1))
        self._dictation = dictation or ProcessPool(1)

    async def warm_up(self) -> None:
        """Start the processes for commands before somebody waits for them."""
        await self._commands.start()

    async def recognise(self, audio: bytes, phrases: Sequence[str] = ()) -> str | None:
        """Return the words in *audio*, PCM at 24 kHz; *phrases* are names that may be said, too.

        The words are empty when they were none that are known; None when the recogniser is broken.
        """
        kept = audio[: WIRE.size(LONGEST_MS)]
        heard = await self._commands.ask({"ask": RecogniserTask.COMMANDS, "phrases": list(phrases)}, kept)
        if heard is None:
            return None
        if heard.open_ms is None:
            return heard.words
        rest = await self._rest(WIRE.silence(LEAD_MS) + kept[WIRE.size(heard.open_ms) :])
        # Who says "say" and nothing that is understood has said nothing that is.
        return f"{heard.words} {rest}" if rest else ""

    async def close(self) -> None:
        """End the processes."""
        await self._commands.close()
        await self._dictation.close()

    async def _rest(self, audio: bytes) -> str:
        """Return what else was said: by the language model, or in words of the small vocabulary."""
        heard = await self._dictation.ask({"ask": RecogniserTask.DICTATION, "phrases": []}, audio)
        if heard is None:
            heard = await self._commands.ask({"ask": RecogniserTask.VOCABULARY, "phrases": []}, audio)
        return (heard or RecognisedSpeech("")).words
