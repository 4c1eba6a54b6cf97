"""RFC 5424 as its ABNF (section 6) says it, read strictly: written from the RFC alone, not from the code."""

from __future__ import annotations

from dataclasses import dataclass

PRINTED = {chr(code) for code in range(33, 127)}
SD_NAME = PRINTED - set('= ]"')
BOM = b"\xef\xbb\xbf"


@dataclass
class Message:
    facility: int
    severity: int
    timestamp: str
    hostname: str
    app_name: str
    procid: str
    msgid: str
    data: dict[str, dict[str, str]]
    text: str


class Reader:
    """One message; raises AssertionError or ValueError for whatever the grammar does not have."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0

    def expect(self, literal: bytes) -> None:
        assert self.raw.startswith(literal, self.at), (self.at, literal)
        self.at += len(literal)

    def until(self, stop: bytes) -> str:
        end = self.raw.index(stop, self.at)
        found, self.at = self.raw[self.at : end], end
        return found.decode("ascii")

    def word(self, most: int) -> str:
        """NILVALUE / 1*most PRINTUSASCII, and the space behind it."""
        found = self.until(b" ")
        assert 1 <= len(found) <= most, found
        assert set(found) <= PRINTED, found
        self.expect(b" ")
        return found

    def priority(self) -> int:
        self.expect(b"<")
        found = self.until(b">")
        assert 1 <= len(found) <= 3
        assert found == str(int(found))
        assert int(found) <= 191
        self.expect(b">")
        return int(found)

    def timestamp(self) -> str:
        found = self.word(32)
        day, clock = found[:-1].split("T")
        assert found[-1] == "Z"
        year, month, of_month = day.split("-")
        assert (len(year), len(month), len(of_month)) == (4, 2, 2)
        assert 1 <= int(month) <= 12
        assert 1 <= int(of_month) <= 31
        whole, _, fraction = clock.partition(".")
        assert 1 <= len(fraction) <= 6
        assert fraction.isdigit()
        hour, minute, second = whole.split(":")
        assert (int(hour) <= 23, int(minute) <= 59, int(second) <= 59) == (True, True, True)
        return found

    def name(self, stop: bytes) -> str:
        found = self.until(stop)
        assert 1 <= len(found) <= 32
        assert set(found) <= SD_NAME, found
        return found

    def value(self) -> str:
        """UTF-8; quote, backslash and bracket only behind a backslash."""
        self.expect(b'"')
        found = bytearray()
        while self.raw[self.at : self.at + 1] != b'"':
            byte = self.raw[self.at : self.at + 1]
            assert byte not in (b"]", b""), "not escaped"
            if byte == b"\\":
                self.at += 1
                byte = self.raw[self.at : self.at + 1]
                assert byte in (b'"', b"\\", b"]")
            found += byte
            self.at += 1
        self.expect(b'"')
        return found.decode("utf-8")

    def elements(self) -> dict[str, dict[str, str]]:
        data: dict[str, dict[str, str]] = {}
        while self.raw.startswith(b"[", self.at):
            self.expect(b"[")
            ends = [self.raw.index(stop, self.at) for stop in (b" ", b"]")]
            name = self.name(b" " if ends[0] < ends[1] else b"]")
            assert name not in data, "the same SD-ID twice"
            values = data.setdefault(name, {})
            while self.raw.startswith(b" ", self.at):
                self.expect(b" ")
                parameter = self.name(b"=")
                self.expect(b"=")
                values[parameter] = self.value()
            self.expect(b"]")
        return data

    def message(self) -> Message:
        priority = self.priority()
        self.expect(b"1 ")
        header = (self.timestamp(), self.word(255), self.word(48), self.word(128), self.word(32))
        data = self.elements()
        assert data, "no structured data"
        self.expect(b" ")
        self.expect(BOM)
        text = self.raw[self.at :].decode("utf-8")
        return Message(priority // 8, priority % 8, *header, data, text)


def read(raw: bytes) -> Message:
    return Reader(raw).message()
