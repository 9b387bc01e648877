"""The daemon's two sockets, and the directory where they are."""
