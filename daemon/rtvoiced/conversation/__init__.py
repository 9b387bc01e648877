"""What happens in a conversation, decided purely: inputs in, effects out.

`machine` is the entry, and says how it works; `state` is all that is true;
`handlers` decide what happens when, and `stores` keep the facts. Nothing here
does I/O, reads a clock or starts anything; whatever is wanted of the world
outside is an effect.
"""
