"""Whether SQLite's write-ahead log goes on behind what could be read of it.

SQLite reads a log up to the first frame whose checksum is wrong and says nothing of the rest. After
a power cut that is one transaction, which nobody was told of: each is synced before the next is
begun. Where a further one follows, it had been stored. File format: https://sqlite.org/walformat.html
"""

import struct
from pathlib import Path

MAGICS = (0x377F0682, 0x377F0683)
HEADER = struct.Struct(">8I")
FRAME = struct.Struct(">6I")


def frames_of(log: Path) -> list[bool] | None:
    """Of each frame up to the last that was written since the log was begun anew, whether it ends a
    transaction; None where the header is none.

    Raises OSError. To be asked before the database is opened, which may begin the log anew.
    """
    out: list[bool] = []
    count = 0
    if not log.exists():
        return out
    with log.open("rb") as file:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return out
        magic, _, page_bytes, _, *rest = HEADER.unpack(header)
        if magic not in MAGICS or tuple(rest[2:]) != _checksum(header[:24], magic & 1):
            return None
        while True:
            file.seek(HEADER.size + len(out) * (FRAME.size + page_bytes))
            frame = file.read(FRAME.size)
            if len(frame) < FRAME.size:
                return out[:count]
            _, pages, *salts, _, _ = FRAME.unpack(frame)
            is_new = salts == rest[:2]
            out.append(is_new and pages > 0)
            if is_new:
                count = len(out)


def is_cut_short(frames: list[bool] | None, read: int) -> bool:
    """`read`: the frames that SQLite found whole."""
    if frames is None:
        return True
    behind = frames[read:]
    return True in behind and behind.index(True) + 1 < len(behind)


def _checksum(data: bytes, big_endian: int) -> tuple[int, int]:
    one = two = 0
    words = struct.unpack(f"{'>' if big_endian else '<'}{len(data) // 4}I", data)
    for a, b in zip(words[::2], words[1::2], strict=True):
        one = (one + a + two) & 0xFFFFFFFF
        two = (two + b + one) & 0xFFFFFFFF
    return one, two
