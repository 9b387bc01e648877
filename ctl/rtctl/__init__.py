"""rtctl, the command that talks to rtvoiced."""
