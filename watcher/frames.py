"""The frames of a WebSocket (RFC 6455): written masked, read whole or not at all.

Pure functions over bytes, so that every limit can be tested without a socket.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_CONTROL_BYTES = 125
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
GOING_AWAY, PROTOCOL_ERROR, BAD_TEXT, TOO_BIG = 1001, 1002, 1007, 1009


class WebSocketError(OSError):
    """The connection could not be made, or is over."""


class BrokenFrameError(WebSocketError):
    """The other side broke the protocol or a limit; `code` is what it was told."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Frame:
    """One frame, unmasked."""

    opcode: int
    is_final: bool
    payload: bytes


def build_frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """Write one final, masked frame."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + mask + apply_mask(payload, mask)


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    """Mask or unmask: one big XOR, since a loop over bytes is slow for long texts."""
    pattern = (mask * (len(payload) // 4 + 1))[: len(payload)]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return both.to_bytes(len(payload), "big")


def cut_frame(buffer: bytearray, max_bytes: int) -> Frame | None:
    """Take a whole server's frame from the front of the buffer, or leave it as it is."""
    if len(buffer) < 2:
        return None
    first, second = buffer[0], buffer[1]
    opcode, is_final = first & 0x0F, bool(first & 0x80)
    _check_head(first, second, opcode, is_final=is_final)
    head_bytes = {126: 4, 127: 10}.get(second & 0x7F, 2)
    if len(buffer) < head_bytes:
        return None
    size = second & 0x7F if head_bytes == 2 else int.from_bytes(buffer[2:head_bytes], "big")
    if size > max_bytes:
        raise BrokenFrameError("a frame is over the limit", TOO_BIG)
    end = head_bytes + size
    if len(buffer) < end:
        return None
    payload = bytes(buffer[head_bytes:end])
    del buffer[:end]
    return Frame(opcode, is_final, payload)


def _check_head(first: int, second: int, opcode: int, *, is_final: bool) -> None:
    if first & 0x70:
        raise BrokenFrameError("reserved bits are set, and no extension was agreed")
    if second & 0x80:
        raise BrokenFrameError("a server must not mask")
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise BrokenFrameError(f"an unknown kind of frame ({opcode})")
    if opcode >= CLOSE and (not is_final or second > MAX_CONTROL_BYTES):
        raise BrokenFrameError("a control frame in pieces or too long")
