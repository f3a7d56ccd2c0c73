# SPDX-License-Identifier: ISC
"""rccase.py - rc files and messages in a room of their own, and what they leave behind

A case is what one delivery agent is to do: rc files, arguments, messages.  A Room is a
process with mounts of its own, in which /home, /etc and /var/mail are private; there a
case is run by procmail and by mailferry-lda, one after the other, and what lies in HOME
afterwards is compared.  As root.

A case file NAME.case has lines `key: value`, then sections from a line `=== WHAT` to the
next one:

    title: what it is about
    argv: -a shop "X=two words"      arguments, quoted as for a shell
    env: NAME=value                  more environment (repeatable)
    run-as: alice | root             default alice
    cwd: /home/alice/work            default HOME
    message: NAME                    messages/NAME.msg beside it (repeatable)
    uniq: keep/letter-*              further unique file names (globs)
    ignore: cache                    files which are not compared (globs)
    === rc                           $HOME/.procmailrc
    === file PATH [mode=600 owner=bob]     below HOME, or absolute
    === dir PATH [mode=555]
    === setup                        shell script, run as alice in HOME
    === message                      one mail (repeatable: one run for each)

A file NAME.cases has several, each behind a line `==== case`.

In a section with [escaped] `\\xHH \\r \\n \\t \\0 \\s \\\\` are bytes, `\\c` at the end
drops the newline and `\\{N*TEXT}` repeats TEXT; [noeol] drops the last newline.  It is the
format of the recorded corpus, of which `tmpfs`, `sendmail-exit`, `signal`, `umask` and
`skip` are understood, too.
"""
import calendar
import ctypes
import fnmatch
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import time

HOME = "/home/alice"
NEW = "/home/.new/alice"		# the user's mail root on the new filer
SENT = "/home/.sent"
PROCMAIL = "/usr/bin/procmail"
HOST = "mx.example.test"
USERS = {"alice": 5001, "bob": 5002}
SENDMAIL = b"""#!/bin/sh
n=1
while ! mkdir "/home/.sent/$n" 2>/dev/null; do n=$((n + 1)); done
for a; do printf '%s\\n' "$a"; done >"/home/.sent/$n/argv"
cat >"/home/.sent/$n/stdin"
[ ! -f /home/.sent/exit ] || exit "$(cat /home/.sent/exit)"
"""
libc = ctypes.CDLL(None, use_errno=True)

# ---- cases


def unescape(text):
    out, i = bytearray(), 0
    simple = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\", "f": b"\f", "e": b"\x1b", "s": b" "}
    while i < len(text):
        n = text[i + 1:i + 2]
        if text[i] != "\\":
            out += text[i].encode()
            i += 1
        elif n == "x":
            out.append(int(text[i + 2:i + 4], 16))
            i += 4
        elif n == "c":
            i += 3 if text[i + 2:i + 3] == "\n" else 2
        elif n == "{":
            j = text.index("}", i)
            count, body = text[i + 2:j].split("*", 1)
            out += unescape(body) * int(count)
            i = j + 1
        else:
            out += simple[n]
            i += 2
    return bytes(out)


def escape(data):
    """a section's text: what unescape() makes these bytes of"""
    text = "".join(chr(b) if 32 <= b < 127 and b != 92 or b in (9, 10) else
                   "\\\\" if b == 92 else "\\x%02x" % b for b in data)
    return text if text.endswith("\n") else text + "\\c\n"


class Case:
    def __init__(self, name=""):
        self.name = self.title = name
        self.argv, self.run_as, self.cwd = "", "alice", HOME
        self.env, self.files, self.messages = {}, [], []
        self.uniq, self.ignore, self.tmpfs, self.skip, self.tags = [], [], [], [], []
        self.setup = self.sendmail_exit = self.signal = None
        self.timeout, self.umask = 20.0, 0o022


def parse(path, text=None, name=None):
    if text is None:
        with open(path, encoding="utf-8", newline="") as f:
            text = f.read()
    head, *sections = re.split(r"(?m)^=== ", text)
    case = Case(name or os.path.basename(path)[:-5])
    beside = os.path.join(os.path.dirname(path), "messages")
    named = []
    for line in head.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        key, _, value = line.partition(":")
        key, value = key.strip().replace("-", "_"), value.strip()
        if key == "env":
            name, _, value = value.partition("=")
            case.env[name] = value
        elif key == "message":
            with open(os.path.join(beside, value + ".msg"), "rb") as f:
                named.append(f.read())
        elif key == "tags":
            case.tags = [t.strip() for t in value.split(",")]
        elif key in ("uniq", "ignore", "tmpfs", "skip"):
            getattr(case, key).append(value)
        elif key == "timeout":
            case.timeout = float(value)
        elif key == "umask":
            case.umask = int(value, 8)
        elif key in ("title", "argv", "run_as", "cwd", "sendmail_exit", "signal"):
            setattr(case, key, value)
        elif key != "log":
            raise ValueError("%s: %r" % (path, line))
    for section in sections:
        first, _, body = section.partition("\n")
        words = [w.strip("[]") for w in first.split()]
        opts = dict(w.split("=", 1) for w in words if "=" in w)
        data = unescape(body) if "escaped" in words else body.encode()
        if "noeol" in words and data.endswith(b"\n"):
            data = data[:-1]
        kind, name = words[0], words[1] if len(words) > 1 else ""
        if kind == "rc":
            case.files.append((".procmailrc", "file", opts, data))
        elif kind in ("file", "dir"):
            case.files.append((name, kind, opts, data))
        elif kind == "setup":
            case.setup = data
        elif kind == "message":
            case.messages.append(data)
    case.messages = named + case.messages
    if not case.messages:
        with open(os.path.join(beside, "default.msg"), "rb") as f:
            case.messages = [f.read()]
    return case


def read_cases(path):
    """of a directory, or a file"""
    if os.path.isdir(path):
        return [c for n in sorted(os.listdir(path)) if n.endswith((".case", ".cases")) for c in read_cases(os.path.join(path, n))]
    if not path.endswith(".cases"):
        return [parse(path)]
    with open(path, encoding="utf-8", newline="") as f:
        texts = re.split(r"(?m)^==== case\n", f.read())[1:]
    return [parse(path, t, "%s-%d" % (os.path.basename(path)[:-6], i + 1)) for i, t in enumerate(texts)]


def write(case, path):
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write("title: %s\n" % case.title)
        if case.argv:
            f.write("argv: %s\n" % case.argv)
        for item in case.env.items():
            f.write("env: %s=%s\n" % item)
        for glob in case.uniq:
            f.write("uniq: %s\n" % glob)
        for name, kind, opts, data in case.files:
            extra = "".join(" %s=%s" % o for o in opts.items())
            f.write("=== %s%s%s\n" % ("rc" if name == ".procmailrc" else "%s %s" % (kind, name), extra,
                                      " [escaped]" if kind == "file" else ""))
            if kind == "file":
                f.write(escape(data))
        if case.setup:
            f.write("=== setup\n" + case.setup.decode())
        for m in case.messages:
            f.write("=== message [escaped]\n" + escape(m))


def needs(case):
    """programs of the procmail package that it calls, and that are not there"""
    text = b"\n".join([d for _, _, _, d in case.files] + [case.setup or b""])
    return [p for p in ("formail", "lockfile") if re.search(rb"(?<![$\w])%s\b" % p.encode(), text) and
            not shutil.which(p)]


# ---- the room

def mount(src, dst, kind=None, flags=0, data=None):
    if libc.mount(*(s.encode() if s else None for s in (src, dst, kind)), ctypes.c_ulong(flags),
                  data.encode() if data else None) != 0:
        raise OSError(ctypes.get_errno(), "mount " + dst)


def put(path, data, mode=0o644, uid=0):
    with open(path, "wb") as f:
        f.write(data)
    os.chown(path, uid, uid)
    os.chmod(path, mode)


HASTE = b"""
#include <time.h>
unsigned sleep(unsigned n) { struct timespec t = { n / 50, n % 50 * 20000000 }; nanosleep(&t, 0); return 0; }
"""


def haste(where):
    """a library by which procmail sleeps for a fiftieth of the time: the second that makes an mbox
    look unread"""
    path = os.path.join(where, "haste.so")
    subprocess.run([os.environ.get("CC", "cc"), "-w", "-shared", "-fPIC", "-o", path, "-x", "c", "-"], input=HASTE, check=True)
    os.chmod(path, 0o755)
    return path


def copy_of(program, where):
    """outside of what a room hides"""
    path = os.path.join(where, os.path.basename(program))
    shutil.copy(program, path)
    os.chmod(path, 0o755)
    return path


def make_dirs(path, uid):
    if not os.path.isdir(path):
        make_dirs(os.path.dirname(path), uid)
        os.mkdir(path)
        os.chown(path, uid, uid)
        os.chmod(path, 0o755)


def empty(path):
    for name in os.listdir(path):
        full = os.path.join(path, name)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        else:
            os.unlink(full)


class Room:
    """The calling process, shut in: it stays in here."""

    def __init__(self, library=None):
        self.faster, self.mounted = library, []
        keep = {}
        for path in ("/etc/ld.so.cache", "/etc/localtime"):
            if os.path.exists(path):
                with open(path, "rb") as f:
                    keep[path] = f.read()
        links = {n: os.readlink("/etc/alternatives/" + n) for n in ("awk", "nawk", "which")
                 if os.path.islink("/etc/alternatives/" + n)}
        if libc.unshare(0x20000 | 0x4000000) != 0:	# mounts, host name
            raise OSError(ctypes.get_errno(), "unshare")
        mount("none", "/", None, 16384 | 1 << 18)
        mount("tmpfs", "/home", "tmpfs", 0, "mode=755")
        mount("tmpfs", "/etc", "tmpfs", 0, "mode=755")
        mount("tmpfs", os.path.realpath("/var/mail"), "tmpfs", 0, "mode=1777")
        for path, data in keep.items():
            put(path, data)
        os.mkdir("/etc/alternatives")
        for n, to in links.items():
            os.symlink(to, "/etc/alternatives/" + n)
        put("/etc/passwd", b"root:x:0:0:root:/home/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nmail:x:8:8::/var/mail:/bin/false\n"
            b"alice:x:5001:5001:alice:/home/alice:/bin/sh\nbob:x:5002:5002:bob:/home/bob:/bin/sh\n"
            b"nobody:x:65534:65534::/:/bin/false\n")
        put("/etc/group", b"root:x:0:\ndaemon:x:1:\nmail:x:8:\nalice:x:5001:\nbob:x:5002:\nnogroup:x:65534:\n")
        put("/etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\n")
        put("/etc/hosts", b"127.0.0.1 localhost\n127.0.1.1 mx.example.test mx\n")
        libc.sethostname(HOST.encode(), len(HOST))
        os.mkdir(SENT)
        put("/home/.sendmail", SENDMAIL, 0o755)
        mount("/home/.sendmail", os.path.realpath("/usr/sbin/sendmail"), None, 4096)
        for name in ("alice", "bob", "root"):
            os.mkdir("/home/" + name)
        make_dirs(NEW, 0)
        self.mapd = None

    def shut(self):
        """No right is gained by a set-id program from now on, and orphans are ours."""
        libc.prctl(38, 1, 0, 0, 0)
        libc.prctl(36, 1, 0, 0, 0)

    def fresh(self, case, home_mode=0o755):
        while self.mounted:
            libc.umount2(self.mounted.pop().encode(), 2)
        for path in ("/home/alice", "/home/bob", "/home/root", "/var/mail", SENT, NEW):
            empty(path)
        for path in ("/etc/procmailrc", "/etc/procmailrcs"):
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
        os.chmod(SENT, 0o1777)
        os.chown(NEW, 5001, 5001)
        os.chmod(NEW, 0o700)
        if case.sendmail_exit:
            put(SENT + "/exit", case.sendmail_exit.encode() + b"\n")
        for name, uid in list(USERS.items()) + [("root", 0)]:
            os.chown("/home/" + name, uid, uid)
            os.chmod("/home/" + name, home_mode if name == "alice" else 0o755)
            if uid != 0:
                put("/var/mail/" + name, b"", 0o600, uid)
                os.chown("/var/mail/" + name, uid, 8)
        for spec in case.tmpfs:
            rel, size = spec.split()
            make_dirs(os.path.join(HOME, rel), 5001)
            mount("tmpfs", os.path.join(HOME, rel), "tmpfs", 0, "size=%s,mode=755,uid=5001,gid=5001" % size)
            self.mounted.append(os.path.join(HOME, rel))
        for name, kind, opts, data in case.files:
            path = os.path.join(HOME, name)
            owner = opts.get("owner", "root" if not path.startswith("/home/") else
                             "bob" if path.startswith("/home/bob") else "alice")
            uid = USERS.get(owner, 0)
            make_dirs(os.path.dirname(path), uid)
            if kind == "dir":
                make_dirs(path, uid)
                os.chown(path, uid, uid)
                os.chmod(path, int(opts.get("mode", "755"), 8))
            else:
                put(path, data, int(opts.get("mode", "644"), 8), uid)
        if case.setup is not None:
            subprocess.run(["/bin/sh", "-e"], input=case.setup, check=True, cwd=HOME, env=self.env(case),
                           stdout=subprocess.DEVNULL, user=5001, group=5001, extra_groups=[5001], umask=0o022)

    def env(self, case):
        home = "/home/root" if case.run_as == "root" else HOME
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "USER": case.run_as, "LOGNAME": case.run_as,
               "SHELL": "/bin/sh", "TZ": "UTC0", "LC_ALL": "C", "ASAN_OPTIONS": "detect_leaks=0"}
        env.update(case.env)
        return env

    def one(self, case, command, message):
        env = self.env(case)
        if self.faster and command[0] == PROCMAIL:
            env["LD_PRELOAD"] = self.faster
        with open("/home/.in", "wb") as f:
            f.write(message)
        who = {} if case.run_as == "root" else {"user": 5001, "group": 5001, "extra_groups": [5001]}
        with open("/home/.in", "rb") as fin, open("/home/.out", "w+b") as out, open("/home/.err", "w+b") as err:
            os.unlink("/home/.in")
            p = subprocess.Popen(command + shlex.split(case.argv), stdin=fin, stdout=out, stderr=err, cwd=case.cwd,
                                 env=env, umask=case.umask, **who)
            if case.signal:
                sig, marker = case.signal.split()
                for _ in range(400):
                    if os.path.exists(os.path.join(HOME, marker)):
                        break
                    time.sleep(0.02)
                time.sleep(0.1)
                p.send_signal(getattr(signal, "SIG" + sig))
            try:
                status = p.wait(case.timeout)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
                status = "timed out"
            self.orphans()
            out.seek(0)
            err.seek(0)
            return status, out.read().decode("latin-1"), err.read().decode("latin-1")

    def orphans(self):
        """Programs that nobody waited for: to their end."""
        end = time.time() + 10
        while time.time() < end:
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.003)
            except ChildProcessError:
                return

    def run(self, case, command, home_mode=0o755, prepare=None):
        """What `command` does with the case."""
        self.fresh(case, home_mode)
        if prepare:
            prepare()
        got = {"before": snapshot(), "t0": time.time()}
        got["runs"] = [self.one(case, command, m) for m in case.messages]
        got["t1"] = time.time()
        got["after"] = snapshot()
        got["sent"] = []
        for n in os.listdir(SENT):
            if n != "exit":
                got["sent"].append(tuple(open(os.path.join(SENT, n, f), "rb").read().decode("latin-1")
                                         if os.path.exists(os.path.join(SENT, n, f)) else "" for f in ("argv", "stdin")))
        return got


def snapshot():
    """{path: (mode, uid, content)} below the users' homes, the mailboxes and the new filer"""
    tree = {}
    for top in ("/home/alice", "/home/bob", "/home/root", "/var/mail", NEW):
        for d, dirs, files in os.walk(top):
            for n in dirs + files:
                path = os.path.join(d, n)
                st = os.lstat(path)
                text = None
                if stat.S_ISLNK(st.st_mode):
                    text = os.readlink(path)
                elif stat.S_ISREG(st.st_mode):
                    with open(path, "rb") as f:
                        text = f.read().decode("latin-1")
                tree[path] = (stat.filemode(st.st_mode), st.st_uid, text, st.st_nlink if text is not None else 0)
    return tree


# ---- what came of it, as lines that can be compared

UNIQUE = ["*/new/*", "*/cur/*", "*/tmp/*", "*/msg.*"]
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
CTIME = re.compile(r"(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) (%s) ([ 0123]\d) (\d\d):(\d\d):(\d\d) (\d{4})" % "|".join(MONTHS))
DIAG = re.compile(r"(?:(?:procmail|mailferry-lda|lt-mailferry-lda): |(?=/bin/sh: 0: cannot open ))([^\n]*)\n?")


class Story:
    """lines, and diagnostics; `paths` maps a path to where it is shown, or to None"""

    def __init__(self, case, got, show=lambda p: p):
        self.got, self.diags = got, []
        self.unique, globs = {}, UNIQUE + [os.path.join(HOME, g) for g in case.uniq]
        changed = {p: e for p, e in got["after"].items() if got["before"].get(p) != e}
        per_dir = {}
        for p, e in changed.items():
            if e[2] is not None and p not in got["before"] and any(fnmatch.fnmatch(p, g) for g in globs):
                per_dir.setdefault(os.path.dirname(p), []).append(p)
        for paths in per_dir.values():
            paths.sort(key=lambda p: (self.dates(got["after"][p][2]), got["after"][p][0], p))
            for i, p in enumerate(paths):
                base = os.path.basename(p)
                kept = [os.path.basename(g)[:-1] for g in globs if fnmatch.fnmatch(p, g)][0]
                self.unique[base] = "%s<U%d>" % (kept, i + 1)
        self.prefixes = [os.path.basename(g)[:-1] for g in globs if len(os.path.basename(g)) > 1]
        self.lines = []
        for status, out, err in got["runs"]:
            # Where procmail bounces what it could not store, we defer.
            self.lines.append("exit %s" % (75 if status == 73 else status))
            if "stdout" not in case.skip:
                self.lines += self.shown(self.names(out))
            if "stderr" not in case.skip:
                self.lines += self.shown(self.names(self.log(err)))
        files = []
        for p, e in changed.items():
            where = show(p)
            rel = where[len(HOME) + 1:] if where and where.startswith(HOME + "/") else where
            if where is None or any(fnmatch.fnmatch(rel, g) for g in case.ignore):
                continue
            if e[0][0] == "d" and p in got["before"] and got["before"][p][0] == e[0]:
                continue
            text = e[2]
            if text is not None and e[0][0] == "-" and "log" in os.path.basename(p).lower():
                text = self.log(text)
                if text == "":
                    continue	# nothing but diagnostics
            where = os.path.join(os.path.dirname(where), self.unique.get(os.path.basename(where), os.path.basename(where)))
            head = "%s %s%s%s" % (e[0], where, "" if e[1] == USERS["alice"] else " uid=%d" % e[1],
                                  " links=%d" % e[3] if e[3] > 1 else "")
            if e[0][0] == "l":
                head += " -> " + text
                text = ""
            files.append([head] + self.shown(self.names(text or "")))
        for p in got["before"]:
            if p not in got["after"] and show(p) is not None:
                files.append(["removed " + show(p)])
        for lines in sorted(files):
            self.lines += lines
        for argv, text in sorted((self.names(a), self.names(t)) for a, t in got["sent"]):
            self.lines += ["sendmail " + " ".join(argv.split("\n")[:-1])] + self.shown(text)

    @staticmethod
    def shown(text):
        if not text:
            return []
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        else:
            lines[-1] += "\\c"
        return ["| " + line for line in lines]

    def dates(self, text):
        def fix(m):
            month, day, h, mi, s, year = m.groups()
            try:
                t = calendar.timegm((int(year), MONTHS.index(month) + 1, int(day), int(h), int(mi), int(s)))
            except ValueError:
                return m[0]
            return "<NOW>" if self.got["t0"] - 3 <= t <= self.got["t1"] + 3 else m[0]
        return CTIME.sub(fix, text)

    def names(self, text):
        for base in sorted(self.unique, key=len, reverse=True):
            text = text.replace(base, self.unique[base])
        return self.dates(text)

    def log(self, text):
        """without diagnostics; the columns of the abstract squeezed, and its name's unique part cut"""
        self.diags += DIAG.findall(text)
        out = []
        for line in DIAG.sub("", text).split("\n"):
            m = re.match(r"(  Folder: )(.*?)\s+(\d+)$", line)
            if m:
                folder = re.sub(r"/(new|cur)/.*$", r"/\1/<U>", m[2])
                for pre in self.prefixes:
                    folder = re.sub(r"(^|[/ ])(%s)[^/ ]+$" % re.escape(pre), r"\1\2<U>", folder)
                line = "  Folder: %s  %s" % (folder, m[3])
            out.append(line.replace("**Bounced**", "**Requeued**"))
        return "\n".join(out)
