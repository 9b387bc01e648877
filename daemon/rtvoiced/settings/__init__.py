"""The configuration: what it holds, and what of it changes live."""
