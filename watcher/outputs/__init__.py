"""What a turn says, shown in its session as it is said.

`words` and `pieces` say what is new, `line` speaks to the bus, `output` brings the one to the other
on a thread of its own. A turn, its reports and its end never wait for any of it.
"""
