"""What is done to audio in the server's own process: codecs, resampling, and finding voices.

The folder implements the interfaces of `rtvoiced_server.protocol.audio_port` with
numpy and Silero. `rtvoiced_server.net.listener` gives each session a
`processing.SessionAudio` of its own.
"""
