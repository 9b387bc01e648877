"""What happens in a conversation, decided purely: inputs in, effects out."""
