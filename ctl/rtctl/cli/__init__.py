"""The command ``rtctl``."""
