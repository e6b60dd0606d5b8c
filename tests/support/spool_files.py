"""The spool's files, read and written by the description in src/pipeline/spool/format.rs, not by its code."""

import struct
import zlib

HEAD = struct.Struct("<8sII16s16s12sI")
RECORD = struct.Struct("<4sIQBB7s3sIII")
SETTLED = 0xA5


class File:
    def __init__(self, path):
        self.path, self.data = path, bytearray(path.read_bytes())
        magic, version, self.places, self.destination, self.salt, _, crc = HEAD.unpack_from(self.data)
        assert (magic, version, crc) == (b"mprspool", 1, zlib.crc32(self.data[:60]))
        self.start = HEAD.size + self.places

    @property
    def mark(self):
        return bytes([self.salt[0] | 1]) + self.salt[1:4]

    def records(self):
        """(place, fields, payload) of each record."""
        at = self.start
        while self.data[at : at + 4] == self.mark:
            fields = RECORD.unpack_from(self.data, at)
            payload = bytes(self.data[at + RECORD.size : at + RECORD.size + fields[8]])
            head = bytes(self.data[at : at + 36])
            assert zlib.crc32(payload, zlib.crc32(head, zlib.crc32(self.salt))) == fields[9]
            yield at, fields, payload
            at += RECORD.size + len(payload)
        assert not any(self.data[at:]), "zeros behind the last record"

    @property
    def items(self):
        return [record for record in self.records() if record[1][3] != 1]

    @property
    def waiting(self):
        return sum(self.data[HEAD.size + fields[1]] != SETTLED for _, fields, _ in self.items)

    @property
    def end(self):
        return max(at + RECORD.size + len(payload) for at, _, payload in self.records())

    def make_older(self, ms):
        """As if it had been written so much earlier."""
        for at, fields, payload in list(self.records()):
            head = bytearray(self.data[at : at + 36])
            struct.pack_into("<Q", head, 8, fields[2] - ms)
            crc = zlib.crc32(payload, zlib.crc32(head, zlib.crc32(self.salt)))
            self.data[at : at + RECORD.size] = head + struct.pack("<I", crc)
        self.path.write_bytes(self.data)
