# SPDX-License-Identifier: ISC
"""watch.py PORT USER LOG - a mail client that stays: logs in, idles, comes back when sent away

Writes what it is told, a line each, and the same line in a row once.
"""
import imaplib
import re
import sys
import time

port, user, log = int(sys.argv[1]), sys.argv[2], open(sys.argv[3], "a", buffering=1)
last = None


def tell(line):
    global last
    if line != last:
        print(line, file=log)
    last = line


def session():
    m = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    m.login(user, "x")
    count = m.select("INBOX")[1][0].decode()
    uidnext = re.search(rb"\d+", m.status("INBOX", "(UIDNEXT)")[1][0].split(b"(")[1]).group(0).decode()
    tell("logged in: %s messages, UIDNEXT %s" % (count, uidnext))
    m.send(b"i IDLE\r\n")
    while True:
        line = m.readline()
        if not line:
            raise imaplib.IMAP4.abort("the connection ended")
        found = re.match(rb"\* (\d+ EXISTS|\d+ EXPUNGE|BYE.*)", line)
        if found:
            tell("told: " + found.group(1).decode().strip())


while True:
    try:
        session()
    except imaplib.IMAP4.abort as e:
        tell("gone: %s" % e)
    except imaplib.IMAP4.error as e:
        tell("refused: %s" % (e.args[0].decode() if isinstance(e.args[0], bytes) else e))
    except OSError as e:
        tell("gone: %s" % e)
    time.sleep(0.3)
