"""wakebus: a message bus for AI agents on several small machines.

Importing the package opens no file, socket or thread.
"""

from __future__ import annotations

__version__ = "0.1.0"
