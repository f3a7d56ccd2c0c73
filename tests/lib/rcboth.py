#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""rcboth.py [--jobs N] BUILD DIR... - cases of rc files beside a map, in overlap and in settle

HOME is the user's mail root on the old filer, so that every Maildir that a case names, and
DEFAULT, are mailboxes of the plan.  Each case of the directories (tests/lib/rccase.py) is
run by procmail, then by mailferry-lda in each state, in rooms with a mapd and a tdb map of
their own.  Asked is:

    both sides have the same mailboxes, and in each the same messages: UID, name, bytes;
    the leader has what procmail made, file by file, and so have logs, mboxes, other
    files, what went to SENDMAIL, standard output, and the exit status.

What may differ, and no more (mailferryrc(5), MAILBOXES OF THE MIGRATION):

    modes        those of a mailbox of the plan are its root's, whatever UMASK says
    links        each of several folders is a delivery of its own
    paths        in settle, what lies below HOME for procmail lies below the new root
    deferral     where procmail tells that it could not write or make a folder, the run
                 may end with 75 and a line that says why; both sides are equal even so
    programs     in settle they, and lockfiles, see what lies beside the leader's mailboxes
                 only where MAILDIR is a mail root: one of both ways must do
    mailbox      in place of the system mailbox there is the inbox of the plan

Not asked in settle: cases whose old filer is small (tmpfs), or is looked at or written to
meanwhile by something else (a signal, a set-up with &), and those that took seconds in
overlap.  Not asked at all: a file called new, cur or tmp in HOME,
which has directories of these names.

A line `ok` or `not ok` for each case and state, as TAP has them without numbers.
"""
import argparse
import difflib
import multiprocessing
import os
import queue
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import rccase  # noqa: E402
from rccase import HOME, NEW  # noqa: E402

# Files that a delivery by the plan writes, and Dovecot, beside the mail; by how they begin.
OURS = ("dovecot-uidlist", "dovecot-uidvalidity", "mailferry-deliveries", "mailferry-lock",
        "mailferry-others", "subscriptions", "maildirfolder")


def below(path, root):
    return path == root or path.startswith(root + "/")


class Sides:
    """what a run left on the two filers"""

    def __init__(self, got, leader):
        self.after, self.before = got["after"], got["before"]
        self.leader, self.follower = (HOME, NEW) if leader == "old" else (NEW, HOME)
        self.boxes = {os.path.dirname(p)[len(r):] for r in (HOME, NEW) for p in self.after
                      if below(p, r) and os.path.basename(p) == "dovecot-uidlist"}

    def box_of(self, path, root):
        """the mailbox that a path below the root is of; None: of none"""
        rel = path[len(root):]
        for part in ("/new", "/cur", "/tmp"):
            at = (rel + "/").rfind(part + "/")
            if at >= 0 and rel[:at] in self.boxes and "/" not in rel[at + 5:]:
                return rel[:at]
        return rel if rel in self.boxes and rel != "" else None

    def messages(self, root, box):
        """{name: (UID, bytes)} of those that this run brought"""
        uids = {}
        head, _, lines = self.after.get(root + box + "/dovecot-uidlist", ("", 0, "", 0))[2].partition("\n")
        for line in lines.split("\n"):
            uid, _, name = line.partition(" :")
            uids[name.split(":")[0]] = uid.split(" ")[0]
        out = {"": [w for w in head.split(" ") if w[:1] in "VG"]}
        for p, e in self.after.items():
            if self.box_of(p, root) == box and e[0][0] == "-" and p not in self.before:
                name = os.path.basename(p)
                out[name] = (uids.get(name, "no UID"), os.path.basename(os.path.dirname(p)), e[2])
        return out

    def unequal(self):
        out = []
        for box in sorted(self.boxes):
            a, b = self.messages(HOME, box), self.messages(NEW, box)
            if a != b:
                out.append("both sides of %s: old %r, new %r" % (box or "the inbox", a, b))
        return out + ["%s is on the follower" % p for p in self.after if below(p, self.follower) and
                      self.box_of(p, self.follower) is None and p != self.follower and self.follower == NEW and
                      p not in self.before and not os.path.basename(p).startswith(OURS) and
                      self.after[p][0][0] != "d" and p[len(NEW):] not in self.boxes]

    def tree(self):
        """the leader's, and around it what lies in HOME, under the names of HOME"""
        out = {}
        for p, e in self.after.items():
            if os.path.basename(p).startswith(OURS):
                continue
            if below(p, HOME) and self.leader == NEW and NEW + p[len(HOME):] in self.before and \
                    NEW + p[len(HOME):] not in self.after:
                continue		# taken away on the leader
            if not below(p, NEW):
                if self.leader == HOME or not below(p, HOME) or self.box_of(p, HOME) is None or p in self.before:
                    out.setdefault(p, e)
            elif self.leader == NEW and p != NEW and self.before.get(p) != e:
                out[HOME + p[len(NEW):]] = e
        return out


def like(tree, before, boxes):
    """without the modes and links of mailboxes of the plan, and the inbox's own directories"""
    class View(Sides):
        def __init__(self):
            self.boxes = boxes
    view, out = View(), {}
    for p, e in tree.items():
        if p in (HOME + "/new", HOME + "/cur", HOME + "/tmp") and p not in before:
            continue
        if p.startswith("/var/mail/") and e[2] == "":
            continue
        if below(p, HOME) and view.box_of(p, HOME) is not None:
            if e[0][0] == "d" and p not in before:
                continue
            e = (e[0][0] + "mode", e[1], e[2], 1)
        out[p] = e[:3] + (1,)
    return out


def with_words(case, *words):
    """the case with assignments behind its arguments; a filter (-m), which has no mailbox, as it is"""
    new, old = rccase.Case(case.name), shlex.split(case.argv)
    new.__dict__.update(case.__dict__)
    if not any(re.match("-[topY]*m", w) for w in old):
        new.argv = " ".join([case.argv] + [w for w in words if not any(o.startswith(w.split("=")[0] + "=") for o in old)])
    return new


def compare(case, theirs, got, leader):
    sides = Sides(got, leader)
    diff = sides.unequal()
    a = dict(theirs)
    a["before"], a["after"] = (like(theirs[k], {} if k == "before" else theirs["before"], sides.boxes) for k in ("before", "after"))
    a["runs"] = [(s, o.replace("/var/mail/alice", HOME + "/"), e.replace("/var/mail/alice", HOME + "/"))
                 for s, o, e in theirs["runs"]]
    b = dict(got)
    b["before"] = like({p: e for p, e in got["before"].items() if not below(p, NEW)}, {}, sides.boxes)
    b["after"] = like(sides.tree(), got["before"], sides.boxes)
    b["runs"] = [(s, o.replace(NEW, HOME), e.replace(NEW, HOME)) for s, o, e in got["runs"]]
    b["sent"] = [tuple(t.replace(NEW, HOME) for t in s) for s in got["sent"]]
    b["after"] = {p: (e[0], e[1], e[2].replace(NEW, HOME) if e[2] else e[2], e[3]) for p, e in b["after"].items()}
    one, two = rccase.Story(case, a), rccase.Story(case, b)
    if not diff and may_defer(one, two, b):
        return [], 0
    diff += list(difflib.unified_diff(one.lines, two.lines, "procmail", "mailferry-lda", lineterm="", n=1)) \
        if one.lines != two.lines else []
    delivered = sum(len(sides.messages(sides.leader, box)) - 1 for box in sides.boxes)
    return diff, delivered


# What procmail says where it cannot write or make a folder.
FAILED = re.compile("Unable to treat as directory|Error while writing|Couldn't create or rename|No space left|Couldn't make link")


def may_defer(one, two, got):
    """the run ended with 75 and a reason, where procmail has failed as well"""
    return any(FAILED.search(d) for d in one.diags) and \
        any(s == 75 and re.match(r"4\.\d\.\d ", o) for s, o, _ in got["runs"])


class Site:
    """a room with a mapd; what is run in a state is run by a child"""

    def __init__(self, build, where, library):
        self.where = where
        self.conf = os.path.join(where, "conf")
        with open(self.conf, "w") as f:
            f.write("map = tdb:%s/map/map.tdb\nsocket_dir = %s/run\nold_mail = /home/%%u\nnew_mail = /home/.new/%%u\n"
                    "deadline = 60\nlog = none\n" % (where, where))
        os.makedirs(os.path.join(where, "map"), 0o700, exist_ok=True)
        self.bin = {n: rccase.copy_of(os.path.join(build, p), where) for n, p in
                    (("lda", "lda/mailferry-lda"), ("mapd", "maps/mailferry-mapd"), ("mailferry", "admin/mailferry"))}
        self.room = rccase.Room(library)
        self.room.fresh(rccase.Case(), 0o700)
        self.log = open(os.path.join(where, "mapd.log"), "wb")
        self.mapd = subprocess.Popen([self.bin["mapd"], "--config", self.conf, "--log", "stderr"], stderr=self.log)
        for _ in range(100):
            with open(self.log.name) as f:
                if ": started " in f.read():
                    break
            time.sleep(0.05)
        self.ferry("add", "alice")
        self.ferry("step", "alice", "overlap")

    def ferry(self, *words):
        subprocess.run([self.bin["mailferry"], "--config", self.conf] + list(words), check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))

    def settle(self):
        self.room.fresh(rccase.Case(), 0o700)
        self.ferry("step", "alice", "cutover", "--for", "60")
        self.ferry("step", "alice", "settle")

    def seed(self):
        subprocess.run(["cp", "-a", HOME + "/.", NEW], check=True)	# as the mover does

    def state(self, name, cases, results):
        pid = os.fork()
        if pid:
            return os.waitpid(pid, 0)[1]
        self.room.shut()
        lda = [self.bin["lda"], "--config", self.conf]
        for case in cases:
            if name == "settle" and (case.tmpfs or case.signal or b"&" in (case.setup or b"")):
                results.put((case.name, name, None, 0, 0))
                continue
            began = time.time()
            theirs = self.room.run(with_words(case, "ORGMAIL=%s/" % HOME, "DEFAULT=%s/" % HOME), [rccase.PROCMAIL], 0o700)
            if any(theirs["after"].get(HOME + n, "d")[0][0] != "d" for n in ("/new", "/cur", "/tmp")):
                results.put((case.name, name, None, 0, 0))
                continue
            prepare = None if name == "overlap" else self.seed
            ways = [case] + ([with_words(case, "MAILDIR=" + HOME)] if prepare else [])
            for way in ways:
                got = self.room.run(way, lda, 0o700, prepare)
                diff, delivered = compare(case, theirs, got, "old" if name == "overlap" else "new")
                if not diff:
                    break
            results.put((case.name, name, diff, delivered, time.time() - began))
        results.close()
        results.join_thread()
        os._exit(0)


def work(build, where, cases, results):
    site = Site(build, where, rccase.haste(where))
    def run(state, cases):
        for i in range(0, len(cases), 20):	# as many as a pipe holds results of
            mine = multiprocessing.Queue()
            site.state(state, cases[i:i + 20], mine)
            for case in cases[i:i + 20]:
                got = mine.get(timeout=5)
                results.put(got)
                yield case, got
    try:
        quick = [case for case, got in run("overlap", cases) if got[4] < 1]
        site.settle()
        results.put(len(cases) - len(quick))
        for _ in run("settle", quick):
            pass
    finally:
        site.mapd.terminate()
        site.mapd.wait()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--jobs", type=int, default=2)
    ap.add_argument("build")
    ap.add_argument("dir", nargs="+")
    a = ap.parse_args()
    cases = []
    for d in a.dir:
        for c in rccase.read_cases(d):
            lost = rccase.needs(c)
            if lost:
                print("# skipped %s: no %s here" % (c.name, lost))
            elif re.search("(^| )-[a-zA-Z]*[af]$", c.argv):
                continue	# nothing can be put behind an option without its argument
            elif c.run_as == "alice" and not any(w.startswith("-d") for w in shlex.split(c.argv)):
                cases.append(c)
    tmp = tempfile.mkdtemp()
    os.chmod(tmp, 0o755)
    results = multiprocessing.Queue()
    jobs = []
    for i in range(a.jobs):
        where = os.path.join(tmp, "site%d" % i)
        os.mkdir(where)
        jobs.append(multiprocessing.Process(target=work, args=(a.build, where, cases[i::a.jobs], results)))
        jobs[-1].start()
    due, both, asked = len(cases) * 2, 0, 0
    while due:
        try:
            got = results.get(timeout=1)
        except queue.Empty:
            if not any(j.is_alive() for j in jobs):
                break
            continue
        if isinstance(got, int):
            due -= got
            continue
        due -= 1
        name, state, diff, delivered, _ = got
        if diff is None:
            continue
        asked += 1
        both += delivered > 0
        print("%s - %s, %s" % ("not ok" if diff else "ok", name, state))
        for line in diff[:60]:
            print("#     " + line.encode("ascii", "backslashreplace").decode()[:200])
        sys.stdout.flush()
    for j in jobs:
        j.join()
    shutil.rmtree(tmp, ignore_errors=True)
    if due:
        print("not ok - %d runs did not end" % due)
    print("# %d of %d runs delivered to a mailbox on both sides" % (both, asked))


if __name__ == "__main__":
    main()
