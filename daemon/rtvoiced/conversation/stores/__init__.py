"""What is true: one module for each kind of fact, written by its own methods only. Pure.

A store says what has happened to it with a method (`PushToTalkStore.press`),
and returns the effects that follow from that alone. Whatever follows from
several stores together is decided in `handlers`. Nobody outside assigns to an
attribute of a store; a test over the syntax tree holds that.
"""
