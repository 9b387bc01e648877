"""What waits to be heard, and the ledger of what was heard."""
