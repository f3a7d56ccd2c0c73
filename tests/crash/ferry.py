# SPDX-License-Identifier: ISC
"""ferry.py - one user's mailbox on both sides, and a real LDA that is let go wrong

What the tests beside it share.  They run below a site of tests/lib/site.sh; its
environment: T (the directory), BUILD, CONF, INJECT (inject.c, built).
"""
import hashlib
import os
import pwd
import re
import shutil
import struct
import subprocess
import sys

T, BUILD, CONF, INJECT = (os.environ[k] for k in ("T", "BUILD", "CONF", "INJECT"))
SANITIZED = b"__asan_init" in open(BUILD + "/lda/mailferry-lda", "rb").read()
STRIDE = 5 if SANITIZED else 1	# its start alone takes longer than a delivery
UIDLIST, LOCK, LOG = "dovecot-uidlist", "dovecot-uidlist.lock", "mailferry-deliveries"
UNIQUE = re.compile(r"\d+\.M\d+P\d+Q\d+R[0-9a-f]{8}\.[^,:]*")
SIDES = {"old": ("old",), "overlap": ("old", "new"), "settle": ("new", "old"),
         "new": ("new",)}

tests = bad = 0


class Wrong(Exception):
    """What a test found."""


def want(true, *text):
    if not true:
        raise Wrong(" ".join(str(x) for x in text))


def test(name, fn, *args):
    """One line of TAP; fn returns what is worth saying, or raises Wrong."""
    global tests, bad
    tests += 1
    try:
        said = fn(*args)
        print("ok %d - %s%s" % (tests, name, " # " + said if said else ""))
    except Wrong as e:
        bad += 1
        print("not ok %d - %s" % (tests, name))
        print("".join("# %s\n" % line for line in str(e).splitlines()), end="")
    sys.stdout.flush()


def done():
    print("1..%d" % tests)
    sys.exit(bad != 0)


def mailferry(*args):
    r = subprocess.run([BUILD + "/admin/mailferry", "--config", CONF, *args],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return r.returncode, r.stdout


def to_state(user, state):
    """A new record, stepped there."""
    steps = {"old": [], "overlap": [["overlap"]], "settle": [["overlap"],
             ["cutover", "--for", "600"], ["settle"]]}
    steps["new"] = steps["settle"] + [["new"]]
    for args in [["add", user]] + [["step", user, *s] for s in steps[state]]:
        status, text = mailferry(*args)
        want(status == 0, args, text)


def mail(n):
    """As Postfix writes it: a retry of the same n is the same message."""
    return ("From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx.x.test (Postfix)\n"
            "\tid 4XYZ%06d; Mon\nSubject: %d\n\nbody %d\n" % (n, n, n)).encode()


def number(data):
    m = re.search(rb"^Subject: (\d+)$", data, re.M)
    return int(m.group(1)) if m else None


class Box:
    """A side's inbox, read as any reader would: what it finds wrong it raises."""

    def __init__(self, path):
        self.path = path
        self.lines, self.files, self.head, self.next = {}, {}, "", 1
        if not os.path.isdir(path):
            return
        self.read_uidlist()
        for sub in {"new", "cur"} & set(os.listdir(path)):
            for name in os.listdir(path + "/" + sub):
                with open("%s/%s/%s" % (path, sub, name), "rb") as f:
                    data, mtime = f.read(), os.fstat(f.fileno()).st_mtime_ns
                base, _, flags = name.partition(":")
                want(base not in self.files, path, base, "is there twice")
                self.files[base] = (sub, flags, number(data), data, mtime)

    def read_uidlist(self):
        try:
            with open(self.path + "/" + UIDLIST) as f:
                text = f.read()
        except FileNotFoundError:
            return
        head, _, rest = text.partition("\n")
        m = re.fullmatch(r"3 V[1-9]\d* N([1-9]\d*) G[0-9a-f]{32}", head)
        want(m and (rest == "" or rest.endswith("\n")), self.path, "uidlist:", text)
        self.head, self.next = re.sub(r" N\d+", "", head), int(m.group(1))
        before = 0
        for line in rest.splitlines():
            m = re.fullmatch(r"(\d+)(?: Y1)? :(.+)", line)
            want(m and int(m.group(1)) > before and m.group(2) not in self.lines,
                 self.path, "uidlist is not ascending, or has a name twice:\n" + text)
            before = self.lines[m.group(2)] = int(m.group(1))
        self.next = max(self.next, before + 1)

    def numbered(self):
        """Nothing visible without a UID."""
        for base in self.files:
            want(base in self.lines, self.path, base, "has no line")
        return self

    def message(self, n):
        """(base name, UID, sub, flags) of message n; None; twice is wrong."""
        found = [(b, self.lines.get(b), f[0], f[1]) for b, f in self.files.items()
                 if f[2] == n]
        want(len(found) < 2, self.path, "message", n, "is there twice:", found)
        if found:
            data = mail(n).partition(b"\n")[2]
            want(self.files[found[0][0]][3] == data, self.path, found[0][0], "is not whole")
        return found[0] if found else None


def equal_sides(a, b, absent=()):
    """Both have the same messages under the same names and UIDs, with the same bytes and
    mtime; but for the names in `absent`, which one of them may lack."""
    want(a.head == b.head and a.next == b.next, "headers differ:", a.head, a.next, b.head,
         b.next)
    for x, y in ((a, b), (b, a)):
        for base, f in x.files.items():
            if base in absent and base not in y.files:
                continue
            want(base in y.files, base, "is missing in", y.path)
            want(y.lines[base] == x.lines[base], base, "has UIDs", x.lines[base],
                 y.lines[base])
            want(f[2:] == y.files[base][2:], base, "differs in bytes or mtime")


class User:
    """A system user with a record, whose mailboxes can be saved and put back."""

    def __init__(self, name, state):
        self.name, self.state, self.sides = name, state, SIDES[state]
        pw = pwd.getpwnam(name)
        self.uid, self.gid, self.home = pw.pw_uid, pw.pw_gid, pw.pw_dir

    def path(self, side):
        return "%s/%s/%s/Maildir" % (T, side, self.name)

    def box(self, side):
        return Box(self.path(side))

    def boxes(self):
        """The leader first."""
        return [self.box(s).numbered() for s in self.sides]

    def clear(self):
        for side in ("old", "new"):
            shutil.rmtree(self.path(side), ignore_errors=True)

    def save(self):
        """All files of both sides, to be given to load()."""
        tree = []
        for side in ("old", "new"):
            for top, dirs, files in os.walk(self.path(side)):
                st = os.stat(top)
                tree.append((top, None, st.st_mode & 0o7777, 0))
                for name in files:
                    path = top + "/" + name
                    st = os.lstat(path)
                    with open(path, "rb") as f:
                        tree.append((path, f.read(), st.st_mode & 0o7777, st.st_mtime_ns))
        return tree

    def load(self, tree):
        self.clear()
        for path, data, mode, mtime in tree:
            if data is None:
                os.mkdir(path, mode)
            else:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                os.write(fd, data)
                os.utime(fd, ns=(mtime, mtime))
                os.close(fd)
            os.chown(path, self.uid, self.gid)

    def locks(self):
        """Locks and what they guard, as inject -a wants them; an empty one is wrong."""
        inodes = []
        for side in ("old", "new"):
            path = self.path(side)
            if not os.path.isdir(path):
                continue
            for name in os.listdir(path):
                if not name.startswith(LOCK):
                    continue
                st = os.stat(path + "/" + name)
                want(name != LOCK or st.st_size > 0, path, name, "is empty")
                inodes.append("%d:%d" % (st.st_dev, st.st_ino))
            if inodes and os.path.exists(path + "/" + UIDLIST):
                st = os.stat(path + "/" + UIDLIST)
                inodes.append("%d:%d" % (st.st_dev, st.st_ino))
        return inodes

    def lda(self, n, *inject, held=None, stale=False):
        """Deliver message n under inject's options; stale: to it, present locks look
        three minutes old.  (exit status, number of the call that was meant, output);
        self.calls then is how many there were, self.changing those that changed a file."""
        said_r, said_w = os.pipe()
        go_r, go_w = os.pipe()
        args = [INJECT, "-u", str(self.uid), "-g", str(self.gid), "-r", str(said_w), "-w",
                str(go_r), *inject]
        if SANITIZED and "-m" not in inject:
            args.append("-m")
        if stale:
            for ino in self.locks():
                args += ["-a", ino]
        env = {"USER": self.name, "LOGNAME": self.name, "HOME": self.home,
               "RECIPIENT": self.name + "@x.test", "SENDER": "s@x.test",
               "ASAN_OPTIONS": "detect_leaks=0"}
        args += [BUILD + "/lda/mailferry-lda", "--config", CONF]
        p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env=env, pass_fds=(said_w, go_r))
        os.close(said_w)
        os.close(go_r)
        said = os.fdopen(said_r)
        try:
            p.stdin.write(mail(n))
            p.stdin.close()
        except BrokenPipeError:
            pass
        line = said.readline().split()
        if line and line[0] == "held":
            held()
            os.write(go_w, b"x")
            line = said.readline().split()
        os.close(go_w)
        out = p.stdout.read().decode()
        said.close()
        p.stdout.close()
        status = p.wait()
        want(line and status != 125 and status != 126, "inject failed:", status, out)
        self.calls = int(line[1])
        self.changing = [int(k) for k in line[3:]]
        return status, int(line[2]), out


def said_right(status, out):
    """Postfix's contract: 0 and silence, or 75 and one line."""
    want(status in (0, 75), "status", status, out)
    want(out == "" if status == 0 else re.fullmatch(r"4\.\d\.\d [^\n]+\n", out),
         "status", status, "said", repr(out))


class Seen:
    """Names as X, Y, ... in the order they came: two runs can be compared."""

    def __init__(self):
        self.names = {}

    def mask(self, text):
        return UNIQUE.sub(lambda m: self.names.setdefault(m.group(0),
                          "name%d" % len(self.names)), text)


def log_state(data):
    """Of a delivery log: intents with UID and outcome, and entries."""
    out = [struct.unpack_from("<QQ16xII", data, 512 * (1 + i)) for i in range(4)]
    out = [(s[0], s[2], s[3]) for s in out]
    for page in range(4096, len(data), 4096):
        for at in range(page, page + 85 * 48, 48):
            uid, outcome = struct.unpack_from("<II", data, at + 32)
            if outcome:
                out.append((at, uid, outcome))
    return out


def intents(user):
    """Names in tmp/ that an undecided intent speaks of, on either side."""
    names = set()
    for side in user.sides:
        try:
            with open(user.path(side) + "/" + LOG, "rb") as f:
                data = f.read(4096)
        except FileNotFoundError:
            continue
        for at in range(512, 512 * 5, 512):
            if struct.unpack_from("<I", data, at + 36)[0] == 1:
                names.add(data[at + 40:at + 241].partition(b",S=")[0].decode())
    return names


def state_of(user, known):
    """What a dead process left on the disk, in a form that two runs have in common;
    known is a list of names from before."""
    seen, out = Seen(), []
    for n in known:
        seen.mask(n)
    for path, data, mode, _ in user.save():
        if data is None:
            what = None
        elif path.endswith(LOG) or path.endswith(LOG + ".tmp"):
            what = (len(data), log_state(data) if len(data) >= 4096 else 0)
        elif os.path.basename(path).startswith(LOCK):
            what = len(data) > 0
        elif os.path.basename(path).startswith(UIDLIST):
            what = seen.mask(data.decode())
        else:
            what = hashlib.md5(data).digest()
        out.append((seen.mask(path.replace(str(os.getpid()), "")), mode, str(what)))
    return tuple(sorted(out))
