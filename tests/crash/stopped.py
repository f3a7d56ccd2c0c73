# SPDX-License-Identifier: ISC
"""stopped.py [all] - asleep for three minutes at every system call, its lock broken meanwhile

The LDA that delivers message 2 is stopped before its 1st, 2nd, ... call; to the others its
locks look three minutes old, so they break them: one delivers message 3, one message
2 again, as after a kill -9 of local(8).  Then the sleeper goes on.  Nothing is lost, doubled
or renumbered, and both sides are one mailbox.

Two ways to sleep: by SIGSTOP, where an alarm that it had set has come meanwhile (SIGALRM
ends it, as any process that was stopped so long); and as a machine that was suspended,
where no alarm came.  Of that the manual says that between the look at the lock and the
write nothing can fence it off: the intent and the line of each side, and no other
place, are left out.

In a third story who breaks the lock dies himself, and leaves message 3 undecided.
"""
import os
import sys

from ferry import *

EVERY = "all" in sys.argv[1:]
WRITE, PWRITE = 1, 18


def deliver(user, n):
    status, _, out = user.lda(n, stale=True)
    want(status == 0, "message", n, "meanwhile: status", status, out)
    for side in user.sides:
        want(user.box(side).message(n), "message", n, "was accepted, and is not on", side)


def judge(user, others, used):
    lead, *follow = user.boxes()
    for n in (1, 2, 3):
        want(lead.message(n), "message", n, "is lost")
    want(lead.message(3)[:2] == others, "message 3 is now", lead.message(3), "and was", others)
    want(lead.next >= used, "the next UID shrank from", used, "to", lead.next)
    for f in follow:
        equal_sides(lead, f)


def die(user, n):
    """Right behind the rename on the leader; and two seconds later its locks are gone."""
    status, _, out = user.lda(n, "-m", "-k", "r%d" % len(user.sides), stale=True)
    want(status == 137 and user.box(user.sides[0]).message(n), "not killed there:", status, out)
    for side in user.sides:
        os.unlink(user.path(side) + "/" + LOCK)


def sleep_at(user, tree, k, seconds, again, dies):
    """Whether there was a kth call; "window" where it is the one that is left out."""
    user.load(tree)
    was = {}

    def meanwhile():
        (die if dies else deliver)(user, 3)
        if again:
            deliver(user, 2)
        lead = user.box(user.sides[0])
        was["3"], was["next"] = lead.message(3)[:2], lead.next

    how = "%d:%d" % (k, seconds) if seconds else "%d" % k
    status, nr, out = user.lda(2, "-m", "-s", how, held=meanwhile, stale=True)
    if not was:
        return False
    try:
        if status != 128 + 14 or not seconds:
            said_right(status, out)
        if status != 0 and not again:
            deliver(user, 2)
        judge(user, was["3"], was["next"])
        for n in (2, 4):
            deliver(user, n)
        judge(user, was["3"], was["next"])
    except Wrong as e:
        if not seconds and (nr == WRITE and "not ascending" in str(e) or dies and nr == PWRITE):
            return "window"
        raise Wrong("asleep before call %d (number %d), ended with %d %s: %s" %
                    (k, nr, status, out.strip(), e))
    return True


def sleeps(user, tree, seconds, dies):
    k = stops = windows = 0
    while True:
        k += STRIDE
        for again in (True, False):
            if not EVERY and not again and k % 5:
                continue
            got = sleep_at(user, tree, k, seconds, again, dies)
            if not got:
                want(k > 50, "only", k, "calls")
                want(windows <= 2 * len(user.sides), windows, "places are not fenced off")
                return "%d calls, %d sleepers" % (k - 1, stops)
            stops += 1
            windows += got == "window"


def one_message(user):
    status, _, out = user.lda(1)
    want(status == 0, out)
    return user.save()


users = [User("mferry%d" % (i + 1), s) for i, s in enumerate(("old", "overlap", "settle"))]
for u in users:
    to_state(u.name, u.state)
for u in users:
    tree = one_message(u)
    for how, seconds in (("stopped", 180), ("suspended", 0)):
        test("%s: %s for three minutes" % (u.state, how), sleeps, u, tree, seconds, False)
        if EVERY or u.state == "overlap" and not seconds:
            test("%s: %s, and who broke the lock died" % (u.state, how), sleeps, u, tree,
                 seconds, True)
done()
