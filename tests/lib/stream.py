# SPDX-License-Identifier: ISC
"""stream.py PORT USER NAME LOG - mail for one user by SMTP, without a pause, until SIGTERM

Each has a subject of its own, NAME-N, which goes into LOG when it was accepted.  What was
refused for now comes again.
"""
import signal
import smtplib
import sys
import time

port, user, name, log = int(sys.argv[1]), sys.argv[2], sys.argv[3], open(sys.argv[4], "a", buffering=1)
going = True


def stop(*_):
    global going
    going = False


signal.signal(signal.SIGTERM, stop)
number = 1
while going:
    s = smtplib.SMTP("127.0.0.1", port, "client.test", 20)
    try:
        s.sendmail("sender@client.test", [user + "@example.test"],
                   "From: sender@client.test\nSubject: %s-%d\n\ntext\n" % (name, number))
        print("%s-%d" % (name, number), file=log)
        number += 1
    except smtplib.SMTPRecipientsRefused as refused:
        if any(code >= 500 for code, _ in refused.recipients.values()):
            raise
    s.quit()
    time.sleep(0.2)
