"""What is true: one module for each kind of fact."""
