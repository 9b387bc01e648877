"""The service: installed once and forgotten. Imported only for `rtctl service` and what asks about it."""
