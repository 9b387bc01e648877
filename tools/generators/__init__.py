"""What `tools/generate.py` calls: one module for each kind of file that is made of declarations."""
