#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What both sides hold, as this host sees it.

nfs.py watch DIR USER...   samples the next UID of every uidlist until DIR/stop is there;
                           prints each one that shrank, then how many it saw
nfs.py check DIR USER=SIDES...   SIDES: both, old, new: where every message of DIR/sent must be,
                           once, the same on both; prints what is wrong
nfs.py open DIR USER...    has every uidlist, delivery log and maildirsize open, read and write, as
                           Dovecot has the first and the last, and reads them, until DIR/stop
nfs.py ops DIR N           NFS operations between DIR/before and DIR/after (mountstats), by
                           filer, a message of N
"""
import hashlib, os, re, sys, time

MAIL = {"old": "/mnt/old/mail/%s/Maildir", "new": "/mnt/new/mail/%s/Maildir"}


def uidlist(box):
    """V, G, next, {name: uid}, and what is wrong with it."""
    bad, lines, last = [], {}, 0
    try:
        with open(box + "/dovecot-uidlist", "rb") as f:
            text = f.read()
    except FileNotFoundError:
        return None, None, 0, {}, []
    if not text.endswith(b"\n"):
        bad.append("torn line")
    whole = text[: text.rfind(b"\n") + 1].decode("latin1").split("\n")[:-1]
    if not whole:
        return None, None, 0, {}, ["empty uidlist"]
    head = dict((w[0], w[1:]) for w in whole[0].split()[1:])
    for line in whole[1:]:
        uid, _, name = line.partition(" :")
        if not uid.isdigit() or int(uid) <= last:
            bad.append("line %r after UID %d" % (line, last))
            continue
        last = int(uid)
        if name in lines:
            bad.append("two lines for " + name)
        lines[name] = last
    return head.get("V"), head.get("G"), max(int(head.get("N", 0)), last + 1), lines, bad


def watch(directory, users):
    seen, looks = {}, 0
    while not os.path.exists(directory + "/stop"):
        for user in users:
            for side in MAIL:
                try:
                    now = uidlist(MAIL[side] % user)[2]
                except OSError:
                    continue
                if 0 < now < seen.get((user, side), 0):
                    print("%s %s: next UID %d after %d" % (user, side, now, seen[user, side]))
                if now > 0:
                    seen[user, side] = now
                    looks += 1
        time.sleep(0.4)
    print("seen %d times" % looks)


def keep_open(directory, users):
    held = {}
    while not os.path.exists(directory + "/stop"):
        for user in users:
            for side in MAIL:
                for name in ("dovecot-uidlist", "mailferry-deliveries", "maildirsize"):
                    path = MAIL[side] % user + "/" + name
                    try:
                        if path not in held or os.fstat(held[path]).st_ino != os.stat(path).st_ino:
                            if path in held:
                                os.close(held[path])
                            held[path] = os.open(path, os.O_RDWR)
                        os.pread(held[path], 1 << 20, 0)
                    except OSError:
                        continue
        time.sleep(0.05)


def messages(box, lines, bad):
    """{subject: (uid, name, digest, mtime)}"""
    found = {}
    for sub in ("new", "cur"):
        for file in os.listdir(box + "/" + sub):
            if file.startswith("."):
                bad.append("%s/%s" % (sub, file))
                continue
            path = "%s/%s/%s" % (box, sub, file)
            with open(path, "rb") as f:
                text = f.read()
                mtime = os.fstat(f.fileno()).st_mtime_ns
            subject = re.search(rb"^Subject: (.*)$", text, re.M).group(1).decode()
            base = file.split(":")[0]
            if base not in lines:
                bad.append("%s can be seen without a UID" % base)
            if not re.search(r",S=%d," % len(text), base):
                bad.append("%s has %d bytes" % (base, len(text)))
            if subject in found:
                bad.append("%s is there twice" % subject)
            found[subject] = (lines.get(base), base, hashlib.md5(text).hexdigest(), mtime)
    return found


def check(directory, want):
    sent = [line.split() for line in open(directory + "/sent")]
    killed = sum(line.split()[2] == "142" for line in open(directory + "/log"))
    for user, sides in want:
        ids = sorted(i for u, i in sent if u == user)
        got = {}
        for side in ("old", "new"):
            box = MAIL[side] % user
            must = sides in (side, "both")
            if not os.path.isdir(box):
                if must:
                    print("%s: %s is not there" % (user, side))
                continue
            v, g, _, lines, bad = uidlist(box)
            found = messages(box, lines, bad)
            names = os.listdir(box)
            tmp = [f for f in os.listdir(box + "/tmp")]
            # A process that the deadline killed before it logged its intent
            # leaves a file that Dovecot sweeps after 36 hours.
            if len(tmp) > killed:
                bad.append("left in tmp/: %s" % " ".join(sorted(tmp)[:4]))
            for f in tmp:
                if f.endswith(".void") or f.startswith(".nfs"):
                    bad.append("left in tmp/: " + f)
            for f in names:
                if ".lock" in f or f.startswith(".nfs") or f.endswith(".tmp"):
                    bad.append("left: " + f)
            if must and sorted(found) != ids:
                bad.append("missing %s, too many %s" % (
                    sorted(set(ids) - set(found))[:5], sorted(set(found) - set(ids))[:5]))
            for b in bad:
                print("%s %s: %s" % (user, side, b))
            got[side] = (v, g, found)
        if sides == "both" and len(got) == 2:
            if got["old"][:2] != got["new"][:2]:
                print("%s: V or G differ: %s %s" % (user, got["old"][:2], got["new"][:2]))
            for i in ids:
                a, b = got["old"][2].get(i), got["new"][2].get(i)
                if a != b:
                    print("%s: %s is %s on old, %s on new" % (user, i, a, b))


def mountstats(path):
    """{filer: {operation: count}}"""
    filers, now = {}, None
    for line in open(path):
        w = line.split()
        if w[:1] == ["device"]:
            now = filers.setdefault(w[4], {}) if w[4] in ("/mnt/old", "/mnt/new") else None
        elif now is not None and len(w) > 8 and re.fullmatch("[A-Z_]+:", w[0]) and w[1].isdigit():
            now[w[0][:-1]] = int(w[1])
    return filers


def ops(directory, n):
    was, now = mountstats(directory + "/before"), mountstats(directory + "/after")
    for filer in ("/mnt/old", "/mnt/new"):
        d = {o: now[filer][o] - was[filer].get(o, 0) for o in now[filer]}
        print("%s: %.1f a message:" % (filer, sum(d.values()) / n),
              " ".join("%s %.1f" % (o, c / n) for o, c in sorted(d.items(), key=lambda x: -x[1]) if c))


if sys.argv[1] == "ops":
    ops(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "open":
    keep_open(sys.argv[2], sys.argv[3:])
elif sys.argv[1] == "watch":
    watch(sys.argv[2], sys.argv[3:])
else:
    check(sys.argv[2], [a.split("=") for a in sys.argv[3:]])
