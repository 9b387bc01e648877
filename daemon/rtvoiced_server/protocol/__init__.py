"""One session of the Realtime protocol, in the GA dialect: client events in, outputs out.

The folder is pure: it does no I/O, makes no arrays, reads no clock and draws no
random numbers. Whoever builds a `session.ServerSession` gives it a clock, what
works on audio (`audio_port`), and the source of its ids (`ids`). The session
answers every call with a list of outputs (`outputs`), which are carried out in
order by `rtvoiced_server.net.connection`. A client event goes to the handler that
carries its name: ``conversation.item.delete`` is
`item_handler.ItemHandler.on_conversation_item_delete`.
"""
