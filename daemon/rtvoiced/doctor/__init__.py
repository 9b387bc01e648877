"""`rtvoiced --doctor`: looks at everything that a conversation needs, with and without a running daemon."""
