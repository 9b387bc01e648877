"""The daemon's side of the IPC: what is said (`contract`), and the two sockets that say it (`server`)."""
