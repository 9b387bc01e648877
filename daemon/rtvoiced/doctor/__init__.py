"""`rtvoiced --doctor`: looks at everything that a conversation needs, with and without a running daemon.

`examine` runs the checks in order. Each module looks at one thing and returns `Finding`s: a verdict, a
sentence, and what to do.
"""
