"""The audio thread, how much it lets the card hold, and how it finds what was lost of the microphone."""
