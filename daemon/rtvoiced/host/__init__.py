"""The machine around the process: paths, the service manager, the terminal, the log, key files."""
