"""The audio thread, and how much the card holds."""
