"""The IPC contract and its two sockets."""
