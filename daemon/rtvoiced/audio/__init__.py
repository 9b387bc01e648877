"""Sound: the cards, the audio thread, what becomes of the microphone, playback and its ledger."""
