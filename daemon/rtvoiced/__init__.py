"""rtvoice: a voice daemon that falls silent when you speak and knows what you heard."""

__version__ = "0.1.0"
