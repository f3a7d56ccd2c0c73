# SPDX-License-Identifier: ISC
"""failed.py [all] - every system call of the real LDA fails once

Exit status 0 with everything whole, or 75 with one line and nothing half visible; then
the mail system brings the message again.  Into a mailbox with a message, into one that has to
be made, into one where a dead delivery of the same message is undecided.  Each errno
in some of them, with `all` in each.
"""
import errno
import os
import sys

from ferry import *

CODES = ["ECONNRESET", "ESTALE", "EDQUOT", "EMFILE", "EACCES", "ENOSPC", "EIO", "EINTR",
         "ENOMEM", "EAGAIN"]


UNLINKAT = 263


def check(user, nr, status, out):
    said_right(status, out)
    lead, *follow = user.boxes()
    there = lead.message(2)
    want(there or status == 75, "status 0, and it is not there")
    for f in follow:
        want(f.message(2) or not there, "the leader shows it, the follower lacks it")
        if status == 0:
            equal_sides(lead, f)
    if status == 75 and not there:
        for f in follow:
            want(not f.message(2), "the follower shows what the leader does not have")
    logged = intents(user)
    for box in [lead] + follow:
        if nr != UNLINKAT and os.path.isdir(box.path + "/tmp"):
            for name in os.listdir(box.path + "/tmp"):
                want(name in logged or name.endswith(".void"), "left in tmp/:", name)


def first(user):
    status, _, out = user.lda(1)
    want(status == 0, out)


def undecided(landed):
    """Message 2 was begun, and its process died before or behind the leader's rename."""
    def make(user):
        first(user)
        tree = user.save()
        user.lda(2, "-m")
        for k in user.changing:
            user.load(tree)
            user.lda(2, "-m", "-k", str(k + 1))
            box = user.box(user.sides[0])
            if intents(user) and box.next > 2 and bool(box.message(2)) == landed:
                return
        raise Wrong("no such moment")
    return make


STARTS = {"a mailbox": first, "nothing": lambda user: None,
          "an undecided line": undecided(False), "an undecided message": undecided(True)}


def fails(user, begin, code):
    user.clear()
    STARTS[begin](user)
    tree = user.save()
    done = deferred = 0
    k = 0
    while True:
        k += STRIDE
        user.load(tree)
        status, nr, out = user.lda(2, "-f", "%d:%d" % (k, getattr(errno, code)), stale=True)
        if user.calls < k:
            break
        if nr == -1:
            continue
        try:
            check(user, nr, status, out)
            again, _, out = user.lda(2, stale=True)
            want(again == 0, "retried:", again, out)
            lead, *follow = user.boxes()
            want(lead.message(2), "retried, and it is not there")
            for f in follow:
                equal_sides(lead, f)
        except Wrong as e:
            raise Wrong("call %d (number %d), status %d: %s" % (k, nr, status, e))
        if status == 0:
            done += 1
        else:
            deferred += 1
    want(done > 5 and deferred > 20 / STRIDE, "only", done, "and", deferred)
    return "%d done, %d deferred" % (done, deferred)


users = [User("mferry%d" % (i + 1), s) for i, s in enumerate(("old", "overlap", "settle"))]
for u in users:
    to_state(u.name, u.state)
cases = [(b, u) for b in STARTS for u in users]
for i, c in enumerate(CODES):
    for j, (b, u) in enumerate(cases):
        if "all" in sys.argv[1:] or (i + j) % 9 == 0:
            test("%s, %s: every call fails with %s" % (u.state, b, c), fails, u, b, c)
done()
