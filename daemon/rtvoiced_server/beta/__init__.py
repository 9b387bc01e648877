"""The beta protocol, put over the GA session at the socket's edge.

The folder is pure, like `rtvoiced_server.protocol`, on which it stands: the session
knows GA only, and `translation` turns the client's events into GA and GA's events
into the beta's. `shapes` has the tables.
"""
