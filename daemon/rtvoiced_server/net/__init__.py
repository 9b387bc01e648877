"""The sockets of the embedded server, and who is let in."""
