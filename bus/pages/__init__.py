"""What a person looks at: pages made on the server, and the scripts that keep them fresh."""

from __future__ import annotations
