"""What happens when: one module for each kind of input."""
