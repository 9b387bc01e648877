"""What becomes of the microphone: echo canceller, half duplex, our own VAD."""
