# SPDX-License-Identifier: ISC
"""milter.py - one MTA's connection to a milter, spoken as smtpd(8) does

m = Milter("/path/milter.sock") or Milter(("127.0.0.1", 8891)); m.rcpt("a@x.test") is the
reply: "c" for go on, "y451 4.2.1 text" for a refusal.
"""
import socket
import struct


class Milter:
    def __init__(self, where, timeout=20):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.s = socket.socket(family)
        self.s.settimeout(timeout)
        self.s.connect(where)
        self.buf = b""
        self.send(b"O" + struct.pack("!III", 6, 0x1ff, 0x1fffff))
        opt = self.answer()
        assert opt[:1] == b"O", opt
        self.version, self.actions, self.steps = struct.unpack("!III", opt[1:13])
        self.macros = opt[13:]

    def send(self, *packets):
        self.s.sendall(b"".join(struct.pack("!I", len(p)) + p for p in packets))

    def answer(self):
        while len(self.buf) < 4 or len(self.buf) < 4 + struct.unpack("!I", self.buf[:4])[0]:
            more = self.s.recv(65536)
            if not more:
                raise EOFError("the milter hung up")
            self.buf += more
        n = struct.unpack("!I", self.buf[:4])[0]
        packet, self.buf = self.buf[4:4 + n], self.buf[4 + n:]
        return packet

    def ask(self, rcpt, mailer="local", macros=None):
        b = rcpt if isinstance(rcpt, bytes) else rcpt.encode()
        if macros is None:
            macros = {b"{rcpt_addr}": b, b"{rcpt_mailer}": mailer.encode(), b"{client_addr}": b"192.0.2.1",
                      b"{mail_addr}": b"sender@client.test"}
        self.send(b"DR" + b"".join(k + b"\0" + v + b"\0" for k, v in macros.items()), b"R<" + b + b">\0")

    def rcpt(self, rcpt, mailer="local", macros=None):
        self.ask(rcpt, mailer, macros)
        return self.answer().rstrip(b"\0").decode(errors="replace")

    def quit(self):
        self.send(b"Q")
        self.s.close()
