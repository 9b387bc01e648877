"""The embedded Realtime server, a program of its own."""
