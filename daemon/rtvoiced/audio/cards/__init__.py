"""Sound cards: PortAudio, and files in real time."""
