"""The settings: what there is, where the values come from, and what of them changes while the daemon runs."""
