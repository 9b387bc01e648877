"""The machine around the process: paths, service manager, terminal, logs, key files."""
