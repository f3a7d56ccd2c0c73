# SPDX-License-Identifier: ISC
"""tally.py SITE USER SIDE SENT... - was anything lost, doubled or renumbered?

SENT are the subjects that were accepted, SITE/snaps/N.SIDE the uidlists of the user as
they were from time to time, the last ones as they are now.
"""
import collections
import glob
import os
import re
import sys

site, user, leader = sys.argv[1:4]
sent = [line.strip() for path in sys.argv[4:] for line in open(path)]
wrong = []


def read(path):
    """V and G, the next UID, and the lines: (uid, name)."""
    head, *lines = open(path).read().splitlines()
    words = dict((w[0], w[1:]) for w in head.split()[1:])
    pairs = [(int(line.split(" ", 1)[0]), line.split(" :", 1)[1]) for line in lines]
    return (words["V"], words["G"]), max([int(words["N"])] + [uid + 1 for uid, _ in pairs]), pairs


def subjects(side):
    """Subject by file name, of the messages that are there."""
    found = {}
    for d in "new", "cur":
        for path in glob.glob("%s/%s/%s/Maildir/%s/*" % (site, side, user, d)):
            name = os.path.basename(path).split(":")[0]
            if name in found:
                wrong.append("%s: %s is there twice" % (side, name))
            found[name] = re.search("^Subject: (.*)$", open(path).read(), re.M).group(1)
    return found


uid_of, name_of, who, following, last = {}, {}, set(), {}, {}
for path in sorted(glob.glob(site + "/snaps/*")):
    side = path.rsplit(".", 1)[1]
    identity, after, pairs = read(path)
    who.add(identity)
    if after < following.get(side, 0):
        wrong.append("%s: the next UID was %d and is %d" % (path, following[side], after))
    following[side] = after
    last[side] = pairs
    if [uid for uid, _ in pairs] != sorted(set(uid for uid, _ in pairs)):
        wrong.append("%s: UIDs do not ascend" % path)
    for uid, name in pairs:
        if uid_of.setdefault(name, uid) != uid or name_of.setdefault(uid, name) != name:
            wrong.append("%s: UID %d, %s: was %s, %s" % (path, uid, name, uid_of[name], name_of[uid]))
if len(who) != 1:
    wrong.append("UIDVALIDITY and GUID differ: %s" % who)
for side in "old", "new":
    there = subjects(side)
    for name in set(there) - set(name for _, name in last[side]):
        wrong.append("%s: %s has no UID" % (side, name))
    for subject, n in collections.Counter(there.values()).items():
        if n > 1:
            wrong.append("%s: %s is there %d times" % (side, subject, n))
        if subject not in sent:
            wrong.append("%s: nobody sent %s" % (side, subject))
    if side == leader:
        for subject in set(sent) - set(there.values()):
            wrong.append("%s: %s is lost" % (side, subject))
print("\n".join(wrong) or "%d messages sent, each there once; UIDs to %d" % (len(sent), following[leader] - 1))
sys.exit(bool(wrong) or not sent)
