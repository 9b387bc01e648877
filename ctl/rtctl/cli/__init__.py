"""The command ``rtctl``: what can be typed, what is sent for it, and what people read.

A key binding calls it many times a day, so it starts fast: a plain verb
imports neither the contract's dataclasses nor asyncio, and ZeroMQ only once a
daemon was found.
"""
