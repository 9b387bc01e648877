"""The IPC contract: commands, events, replies, their words and schemas."""
