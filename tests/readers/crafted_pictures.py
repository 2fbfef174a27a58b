"""Picture files byte by byte, also those that no program would write."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def saved(pixels, kind="PNG", **options):
    """A picture file of pixels, or of a Pillow image."""
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


def noise(height=9, width=12, channels=3, seed=0):
    """Pixels of no meaning."""
    return np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype(np.uint8)


def png(width, height, rows=b"", bits=8, colour=0, more=()):
    """A PNG file with the right checksums; `rows` are its bytes before packing."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def tiff(entries, data=b""):
    """A little-endian TIFF file: one directory of (tag, type, count, value), then data at byte 8 + its length."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0) + data


def replaced(data, old, new):
    """A file with one field overwritten; fails where the field is not in the file."""
    assert old in data
    return data.replace(old, new, 1)
