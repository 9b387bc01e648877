"""What the embedded server answers, by simple rules."""
