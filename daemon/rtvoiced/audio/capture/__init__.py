"""What becomes of the microphone before anybody hears it: echo canceller, half duplex, our own VAD."""
