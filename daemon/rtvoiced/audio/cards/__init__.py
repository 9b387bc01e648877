"""Sound cards: PortAudio, and files in real time; the list of devices and the watch for missing ones.

A backend is a module with a class that implements `rtvoiced.dsp.pcm.Card`.
"""
