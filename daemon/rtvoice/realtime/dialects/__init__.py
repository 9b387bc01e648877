"""One file per server family, pure."""
