"""Hearing: what was said, as words. Recognition runs in processes of its own, so nobody else waits for it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.speech.recogniser import Ask, Heard
from rtvoiced_server.speech.workers import Pool

LONGEST_MS = 30_000
"""What is said after that is not heard: recognition takes 2 % of it, and no command is so long."""
MOST_COMMANDS = 2
"""Workers for commands: two utterances that end together are heard together, where there are two cores."""
LEAD_MS = 100
"""Of silence before a dictation, which begins within an utterance: as much as the model expects."""


class Ears:
    """The recognisers that all sessions share: some for commands, one for anything else.

    A dictation takes many times as long as a command, so it has a worker of its own.
    """

    def __init__(self, commands: Pool | None = None, dictation: Pool | None = None) -> None:
        self._commands = commands or Pool(min(MOST_COMMANDS, os.cpu_count() or 1))
        self._dictation = dictation or Pool(1)

    async def warm_up(self) -> None:
        """Start the workers for commands before somebody waits for them."""
        await self._commands.start()

    async def hear(self, audio: bytes, phrases: Sequence[str] = ()) -> str | None:
        """Return the words in *audio*, PCM at 24 kHz; *phrases* are names that may be said, too.

        Empty when they were none that it knows, None when the recogniser is broken.
        """
        kept = audio[: WIRE.size(LONGEST_MS)]
        heard = await self._commands.ask({"ask": Ask.COMMANDS, "phrases": list(phrases)}, kept)
        if heard is None:
            return None
        if heard.open_ms is None:
            return heard.words
        rest = await self._rest(WIRE.silence(LEAD_MS) + kept[WIRE.size(heard.open_ms) :])
        # Who says "say" and nothing that is understood has said nothing that is.
        return f"{heard.words} {rest}" if rest else ""

    async def close(self) -> None:
        """End the workers."""
        await self._commands.close()
        await self._dictation.close()

    async def _rest(self, audio: bytes) -> str:
        """Return what else was said: by the language model, or in words of the small vocabulary."""
        heard = await self._dictation.ask({"ask": Ask.DICTATION, "phrases": []}, audio)
        if heard is None:
            heard = await self._commands.ask({"ask": Ask.VOCABULARY, "phrases": []}, audio)
        return (heard or Heard("")).words
