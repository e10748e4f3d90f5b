"""Steering: what people say to work that goes on: yes or no, stop, and also do this."""
