"""Hearing and speaking: recognisers and synthesisers in processes of their own."""
