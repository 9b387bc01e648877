"""The beta protocol, put over the GA session."""
