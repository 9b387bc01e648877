"""Where a word ends, in its audio and in its text.

The voice (`rtvoiced_server.speech.word_times`) tells it of every word that it
speaks; a truncation forgets the words that end after it
(`rtvoiced_server.protocol.content_parts.OutputAudioPart`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WordEnd:
    """The end of a word, counted from the beginning of a sentence or of a whole item."""

    ms: int
    """Milliseconds of audio before it."""
    chars: int
    """Characters of text before it."""
