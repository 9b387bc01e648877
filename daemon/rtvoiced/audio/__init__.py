"""Sound: the card, the audio thread, playback and the ledger."""
