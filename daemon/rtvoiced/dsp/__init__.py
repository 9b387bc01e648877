"""Arithmetic on sound: PCM, resampling, voice activity. No device, no thread."""
