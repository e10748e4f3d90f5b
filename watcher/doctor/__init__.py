"""`bus-watcher doctor`: is all of it well on this node, and how to mend what is not.

Each module looks at one side; none changes anything, and no secret comes into what they say.
"""

from __future__ import annotations
