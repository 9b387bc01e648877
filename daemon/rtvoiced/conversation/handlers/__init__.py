"""What happens when: one module for each kind of input. Pure.

A handler's methods carry the name of what happened (`on_speech_started`), and
return the effects in order. They read the whole `ConversationState`, write it
by the stores' methods, and decide what follows from several of them together.
`machine.Conversation` calls them, and they call each other downwards only:

    command, connection ──► push_to_talk ──► user_turn
    interruption ──────────────────────────► user_turn
    response
"""
