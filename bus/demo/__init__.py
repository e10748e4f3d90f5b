"""Two agents that need no model: what `bus up` shows the bus with, and what an own one looks like.

Each is a script on the standard library alone, run by a watcher's `program` method for one
message: the fenced text comes on standard input, what is printed is the answer.
"""
