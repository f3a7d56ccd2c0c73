# SPDX-License-Identifier: ISC
"""session.py PORT USER NAME STOP - a live IMAP session until the file STOP exists

Appends, copies, expunges what it appended itself, idles; exits 1 where UIDNEXT
shrinks, or a UID comes to stand for another message.
"""
import imaplib
import os
import random
import re
import sys
import time

port, user, name, stop = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
m = imaplib.IMAP4("127.0.0.1", port)
m.login(user, "x")
m.select("INBOX")
seen, uidnext, mine, count = {}, 0, [], 0


def status():
    global uidnext
    data = m.status("INBOX", "(UIDNEXT)")[1]
    now = int(re.search(rb"UIDNEXT (\d+)", data[0]).group(1))
    if now < uidnext:
        sys.exit("UIDNEXT went from %d to %d" % (uidnext, now))
    uidnext = now


def look():
    m.noop()
    first = max(1, uidnext - 20)
    data = m.uid("fetch", "%d:*" % first, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    for item in data:
        if not isinstance(item, tuple):
            continue
        uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
        subject = item[1].decode().strip()
        if seen.setdefault(uid, subject) != subject:
            sys.exit("UID %d was %r and is %r" % (uid, seen[uid], subject))


def append():
    global count
    count += 1
    text = "Subject: a-%s-%d\r\n\r\nx\r\n" % (name, count)
    typ, data = m.append("INBOX", None, None, text.encode())
    if typ != "OK":
        sys.exit("append: %r" % data)
    mine.append(int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1)))


def copy():
    if mine:
        typ, data = m.uid("copy", str(random.choice(mine)), "INBOX")
        if typ != "OK":
            sys.exit("copy: %r" % data)


def expunge():
    if mine:
        uid = mine.pop(random.randrange(len(mine)))
        m.uid("store", str(uid), "+FLAGS", "(\\Deleted)")
        m.expunge()


def idle():
    m.send(b"x IDLE\r\n")
    m.readline()
    time.sleep(0.2)
    m.send(b"DONE\r\n")
    while not m.readline().startswith(b"x "):
        pass


while not os.path.exists(stop):
    random.choice([append, copy, expunge, idle, look])()
    status()
    time.sleep(random.random() / 20)
m.logout()
print("%s: %d appended" % (name, count))
