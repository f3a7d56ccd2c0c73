# SPDX-License-Identifier: ISC
"""imap.py PORT USER COMMAND... - one IMAP session of a test

Commands, in order: status (prints UIDVALIDITY UIDNEXT MESSAGES), uids (UID and
SUBJECT of each), append SUBJECT, expunge UID, copy UID MAILBOX, flag UID FLAG,
create MAILBOX, select MAILBOX.
"""
import imaplib
import re
import sys


def check(answer):
    typ, data = answer
    if typ != "OK":
        sys.exit("imap: %s %r" % (typ, data))
    return data


def main():
    m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
    check(m.login(sys.argv[2], "x"))
    box = "INBOX"
    check(m.select(box))
    words = iter(sys.argv[3:])
    for cmd in words:
        if cmd == "status":
            data = check(m.status(box, "(UIDVALIDITY UIDNEXT MESSAGES)"))
            print(*[re.search(key + rb" (\d+)", data[0]).group(1).decode()
                    for key in (b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES")])
        elif cmd == "uids":
            check(m.noop())
            for item in check(m.uid("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
                if isinstance(item, tuple):
                    print(re.search(rb"UID (\d+)", item[0]).group(1).decode(),
                          item[1].decode().strip().replace("Subject: ", ""))
        elif cmd == "append":
            text = "From: me\r\nSubject: %s\r\n\r\nappended\r\n" % next(words)
            check(m.append(box, None, None, text.encode()))
        elif cmd == "expunge":
            check(m.uid("store", next(words), "+FLAGS", "(\\Deleted)"))
            check(m.expunge())
        elif cmd == "copy":
            check(m.uid("copy", next(words), next(words)))
        elif cmd == "flag":
            check(m.uid("store", next(words), "+FLAGS", "(%s)" % next(words)))
        elif cmd == "create":
            check(m.create(next(words)))
        elif cmd == "select":
            box = next(words)
            check(m.select(box))
        else:
            sys.exit("imap.py: no command " + cmd)
    m.logout()


main()
