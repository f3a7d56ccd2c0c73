# SPDX-License-Identifier: ISC
"""killed.py [all] - killed at every system call, then what a client does, then the retry

The LDA is killed before its 1st, 2nd, ... system call.  Wherever that left another state
on the disk, the IMAP client does one thing to the message, if it can see it, and the mail
system brings it again.  Then each message is on each side exactly as the client left it.
The retry is killed, too, wherever it has just changed something, and the mail system
brings it a third time: `all` from every state that the first death can leave, else from
one in four of those in which an intent is undecided.
"""
import os
import sys

from ferry import *

EVERY = "all" in sys.argv[1:]


def rewrite(user, drop):
    """As Dovecot does at a sync: lines without a file go, N says what is used."""
    path = user.path(user.sides[0])
    box = user.box(user.sides[0])
    if LOCK in os.listdir(path):
        os.unlink(path + "/" + LOCK)
    kept = [(u, b) for b, u in box.lines.items() if b in box.files and b != drop]
    with open(path + "/uidlist.tmp", "w") as f:
        f.write(box.head.replace(" G", " N%d G" % box.next) + "\n")
        f.write("".join("%d :%s\n" % line for line in kept))
    os.chown(path + "/uidlist.tmp", user.uid, user.gid)
    os.rename(path + "/uidlist.tmp", path + "/" + UIDLIST)


def act(user, action, base):
    """The client, on the leader's mailbox.  base: the message's, where it can be seen."""
    path = user.path(user.sides[0])
    if action == "moved":
        os.rename("%s/new/%s" % (path, base), "%s/cur/%s:2,FS" % (path, base))
    elif action == "expunged":
        os.unlink("%s/new/%s" % (path, base))
        rewrite(user, base)
    elif action == "synced":
        rewrite(user, None)


def judge(user, action, base, used):
    """After the retry.  base, used: what the first death left, and the next UID then."""
    lead, *follow = user.boxes()
    got = lead.message(2)
    if action == "expunged":
        want(got is None, "it came back:", got)
    else:
        want(got, "it is lost")
    if action == "moved":
        want(got[0] == base and got[2:] == ("cur", "2,FS"), "it was left in cur/", base, got)
    if base is None and used > 1:
        want(got[1] >= used - 1, "its UID", got[1], "was given before:", used)
    for f in follow:
        there = f.message(2)
        want(there or action == "expunged", "the follower lacks it")
        equal_sides(lead, f, [there[0]] if there and action == "expunged" else [])
    return lead


def deliver(user, n, **how):
    status, _, out = user.lda(n, stale=True, **how)
    want(status == 0, "message", n, "status", status, out)


def third(user, action, base, used, left):
    """One more message, and all is still so."""
    deliver(user, 3)
    judge(user, action, base, used)
    lead = user.box(user.sides[0])
    want(lead.message(3)[1] >= used, "message 3 has a UID that was used")
    for side in user.sides:
        want(LOCK not in os.listdir(user.path(side)), side, "is still locked")
        tmp = set(os.listdir(user.path(side) + "/tmp")) - left
        want(not tmp, "left in tmp/:", tmp)


def visible(user):
    """The message as the client sees it: with file and line on the leader."""
    lead = user.box(user.sides[0])
    got = lead.message(2)
    return (got[0] if got and got[1] else None), lead.next


def kill_at_all(user, tree, known, inject, each, n=2, least=1):
    """Kill it before every system call; each(status) wherever the disk differs."""
    before, k, places = None, least, 0
    while True:
        user.load(tree)
        status, nr, out = user.lda(n, "-m", "-k", str(k), *inject, stale=True)
        want(status in (0, 137), "killed before call", k, "status", status, out)
        user.locks()
        now = state_of(user, known)
        if now != before:
            places += 1
            try:
                each(status)
            except Wrong as e:
                raise Wrong("killed before call %d (number %d): %s" % (k, nr, e))
        if status == 0:
            return k - 1, places
        before, k = now, k + STRIDE


def actions(base):
    return ("none", "moved", "expunged") if base else ("none", "synced")


def first_death(user, inject):
    """Killed, acted on, retried."""
    runs = 0

    def each(_):
        nonlocal runs
        base, used = visible(user)
        dead = user.save()
        for action in actions(base):
            try:
                runs += 1
                user.load(dead)
                left = litter(user)
                act(user, action, base)
                deliver(user, 2)
                judge(user, action, base, used)
                third(user, action, base, used, left)
            except Wrong as e:
                raise Wrong("%s: %s" % (action, e))

    calls, places = kill_at_all(user, start(user), [], inject, each)
    want(calls > 50, "only", calls, "calls")
    return "%d calls, %d states, %d retries" % (calls, places, runs)


def litter(user):
    """In tmp/ of a death before anything was logged: nobody knows its name."""
    logged = intents(user)
    return {f for s in user.sides if os.path.isdir(user.path(s) + "/tmp")
            for f in os.listdir(user.path(s) + "/tmp") if f.partition(".void")[0] not in logged}


def second_death(user):
    """The retry is killed, too, then a third run."""
    runs = turn = 0

    def each(_):
        nonlocal runs, turn
        if not EVERY and not intents(user):
            return
        base, used = visible(user)
        dead = user.save()
        for action in actions(base):
            user.load(dead)
            left = litter(user)
            act(user, action, base)
            acted = user.save()
            deliver(user, 2)
            for k in user.changing:
                turn += 1
                if not EVERY and turn % (4 * STRIDE):
                    continue
                user.load(acted)
                status, _, out = user.lda(2, "-m", "-k", str(k + 1), stale=True)
                want(status in (0, 137), "status", status, out)
                runs += 1
                now, next2 = visible(user)
                more = litter(user)
                try:
                    deliver(user, 2)
                    judge(user, action, base or now, used if now else max(used, next2))
                    third(user, action, base or now, used, left | more)
                except Wrong as e:
                    raise Wrong("%s, the retry killed before call %d: %s" %
                                (action, k + 1, e))

    kill_at_all(user, start(user), [], [], each)
    return "%d third runs" % runs


trees = {}


def start(user):
    if user.name not in trees:
        deliver(user, 1)
        trees[user.name] = user.save()
    return trees[user.name]


def fresh(user, inject):
    """The first message of all: the mailbox is made."""
    def each(_):
        for n in (1, 2):
            deliver(user, n)
        lead, *follow = user.boxes()
        for n in (1, 2):
            want(lead.message(n), "message", n, "is lost")
        for f in follow:
            equal_sides(lead, f)

    calls, places = kill_at_all(user, [], [], inject, each, n=1)
    return "%d calls, %d states" % (calls, places)


users = [User("mferry%d" % (i + 1), s) for i, s in enumerate(SIDES)]
for u in users:
    to_state(u.name, u.state)
for u in users:
    test("%s: killed, then moved or expunged, then retried" % u.state, first_death, u, [])
test("overlap: the same where O_TMPFILE is unknown", first_death, users[1], ["-n"])
for u in users[0:3]:
    test("%s: killed while the mailbox is made" % u.state, fresh, u, [])
for u in users[0:3]:
    test("%s: the retry killed, too" % u.state, second_death, u)
done()
