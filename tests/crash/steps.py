# SPDX-License-Identifier: ISC
"""steps.py [ROUNDS] - a user goes through all states while several LDAs deliver

Each round is another user and half a minute: some hundred steps.

Workers deliver each its own messages, as Postfix does: a deferred one comes again. Some
LDAs are killed.  Beside them `mailferry step` goes from state to state.  What is held
against it does not come from the LDA:

- between the end of a step into a state and the begin of the next step (the
  barrier has passed, nothing else may be under way) nothing appears on a side that the
  state does not write; in a cutover on none; in a state of two sides what appears on the
  leader is on the follower under the same UID;
- an LDA that began and ended within a cutover exits 75;
- UIDNEXT on the leader never shrinks, UIDVALIDITY and GUID stay;
- at the end the leader has each accepted message exactly once, and the follower has all
  of them under the same names and UIDs, as everything was delivered since overlap or caught up.

Last, two admins at once step a user about, each knowing nothing of the other, and take
back what was done last; more LDAs, more of them killed.  The leader's UIDNEXT does
not shrink either, and at the end both sides agree.
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

from ferry import *

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
SECONDS = 35
WORKERS = 4
LADDER = {"old": ["overlap"], "overlap": ["cutover", "cutover", "cutover", "old"],
          "settle": ["cutover", "cutover", "cutover", "new"], "new": ["settle"]}

stop = threading.Event()
lock = threading.Lock()


def begin_round():
    global accepted, runs, delivered, windows
    stop.clear()
    accepted, runs = [], [0, 0, 0]
    delivered = []		# (begin, end, message) of an LDA
    windows = []		# (begin, end) of what is frozen of a cutover


def run(user, n, die):
    env = {"USER": user.name, "LOGNAME": user.name, "HOME": user.home,
           "RECIPIENT": user.name + "@x.test", "SENDER": "s@x.test",
           "ASAN_OPTIONS": "detect_leaks=0"}
    begin = time.monotonic()
    p = subprocess.Popen([BUILD + "/lda/mailferry-lda", "--config", CONF], env=env,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, user=user.uid, group=user.gid,
                         extra_groups=[])
    if die:
        threading.Timer(random.random() * 0.006, p.kill).start()
    try:
        out = p.communicate(mail(n))[0].decode()
    except BrokenPipeError:
        out = ""
    return begin, time.monotonic(), p.wait(), out


def worker(user, first, said, every=WORKERS, deaths=0.003):
    n = first
    try:
        while not stop.is_set():
            begin, end, status, out = run(user, n, random.random() < deaths)
            if status != -signal.SIGKILL:
                said_right(status, out)
            with lock:
                runs[0 if status == 0 else 1 if status == 75 else 2] += 1
                if status == 0:
                    accepted.append(n)
                    delivered.append((begin, end, n))
            if status == 0:
                n += every
            elif status == 75:
                time.sleep(0.005)
        while n not in accepted:	# what is in the queue comes at last
            status, out = run(user, n, False)[2:]
            said_right(status, out)
            if status == 0:
                accepted.append(n)
    except Exception as e:
        said.append(repr(e))
        stop.set()


def names(user, side):
    """Base names that are visible; a rename from new/ to cur/ is not made here."""
    try:
        return set(os.listdir(user.path(side) + "/new"))
    except FileNotFoundError:
        return set()


def step(user, state, *args):
    for _ in range(200):
        # What came while one side alone was written is on that side alone.
        status, text = mailferry("step", user.name, state, "--force", *args)
        if status != 75:
            return status, text
    return status, text


def watch(user, state, before, seconds):
    """Within a state: what appears, and where."""
    sides = SIDES.get(state, ())
    time.sleep(seconds)
    lead = names(user, sides[0]) if sides else set()
    now = {s: names(user, s) for s in ("old", "new")}
    for s in ("old", "new"):
        if s not in sides:
            want(now[s] == before[s], "in", state, "there appeared on", s, now[s] ^ before[s])
    if len(sides) == 2:
        missing = lead - before[sides[0]] - now[sides[1]]
        want(not missing, "in", state, "on the leader only:", missing)


def walk(user, until):
    state, steps, leads, high, head = "overlap", 0, 0, 1, None
    leader = "old"
    while time.monotonic() < until and not stop.is_set():
        to = random.choice(LADDER[state])
        args = ("--for", "60") if to == "cutover" else ()
        status, text = step(user, to, *args)
        want(status == 0, state, "to", to, text)
        steps += 1
        frozen = time.monotonic()
        before = {s: names(user, s) for s in ("old", "new")}
        watch(user, to, before, random.choice((0, 0, 0.01, 0.03)))
        if to == "cutover":
            other = "settle" if state == "overlap" else "overlap"
            to = random.choice((other, other, state))
            windows.append((frozen, time.monotonic()))
            status, text = step(user, to)
            want(status == 0, "cutover to", to, text)
            steps += 1
            before = {s: names(user, s) for s in ("old", "new")}
            watch(user, to, before, random.choice((0, 0, 0.01)))
        leads += SIDES[to][0] != leader
        leader, state = SIDES[to][0], to
        box = None
        for _ in range(50):		# not under its lock: perhaps in mid-write
            try:
                box = Box.__new__(Box)
                box.path, box.lines, box.head, box.next = user.path(leader), {}, "", 1
                box.read_uidlist()
                break
            except Wrong as e:
                wrong, box = e, None
        want(box, "the leader's uidlist stays wrong")
        if box.head:
            want(head in (None, box.head), "it was", head, "and is", box.head)
            want(box.next >= high, "UIDNEXT went from", high, "to", box.next)
            high, head = box.next, box.head
    return state, steps, leads


def settled(user, state, accepted):
    """After one more message: the leader and the follower, where what was accepted is, once."""
    status, _, out = user.lda(1)
    want(status == 0, "the last message", out)
    lead, follow = (user.box(s).numbered() for s in SIDES[state])
    have = sorted(f[2] for f in lead.files.values())
    want(len(accepted) == len(set(accepted)), "accepted twice?")
    want(have == sorted(accepted + [1]), "lost:", set(accepted) - set(have),
         "twice or never accepted:", sorted(n for n in have if have.count(n) > 1 or n not in accepted + [1]))
    return lead, follow


def all_states(user):
    begin_round()
    said = []
    threads = [threading.Thread(target=worker, args=(user, 10 + i, said))
               for i in range(WORKERS)]
    for t in threads:
        t.start()
    try:
        state, steps, leads = walk(user, time.monotonic() + SECONDS)
        if state in ("old", "new"):
            status, text = step(user, LADDER[state][0])
            want(status == 0, text)
            state = LADDER[state][0]
    finally:
        stop.set()
        for t in threads:
            t.join()
    want(not said, *said)
    lead, follow = settled(user, state, accepted)
    equal_sides(lead, follow)
    for begin, end in windows:
        for b, e, n in delivered:
            want(not (begin < b and e < end), "message", n, "was accepted within a cutover")
    want(steps > 50 and leads > 5 and runs[1] > 10, "only", steps, "steps", runs)
    return "%d steps, %d changes of leader, %d delivered, %d deferred, %d killed" % (
        steps, leads, *runs)


def shown(user):
    status, text = mailferry("show", user.name)
    want(status == 0, text)
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def admin(user, until, counts, said):
    """Steps as anybody might; refused and told to come again is as good as done."""
    try:
        while time.monotonic() < until and not stop.is_set():
            state = shown(user)["state"]
            to = random.choice(LADDER.get(state, ["overlap", "settle", "settle", "undo"]) + ["undo"])
            args = ["undo", user.name] if to == "undo" else ["step", user.name, to, "--force"]
            status, text = mailferry(*args, *(["--for", "60"] if to == "cutover" else []))
            want(status in (0, 1, 75), args, status, text)
            want(status != 1 or "possible now" in text or "rollback" in text or "undo" in args, args, text)
            counts[status] = counts.get(status, 0) + 1
    except Exception as e:
        said.append(repr(e))
        stop.set()


def uidnext_of_leader(user, high):
    """As far as it can be told: the record did not change meanwhile."""
    before = shown(user)
    try:
        box = Box.__new__(Box)
        box.path, box.lines, box.head, box.next = user.path(before["leader"]), {}, "", 1
        box.read_uidlist()
    except Wrong:
        return high
    if shown(user)["version"] != before["version"]:
        return high
    want(box.next >= high, "UIDNEXT of", before["leader"], "went from", high, "to", box.next)
    return box.next


def two_admins(user, workers=8, seconds=20):
    begin_round()
    said, counts, high = [], {}, 1
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=worker, args=(user, 10 + i, said, workers, 0.05))
               for i in range(workers)]
    threads += [threading.Thread(target=admin, args=(user, until, counts, said)) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        while time.monotonic() < until and not stop.is_set():
            high = uidnext_of_leader(user, high)
            time.sleep(0.02)
        for t in threads[workers:]:
            t.join()
        state = shown(user)["state"]
        if state not in ("overlap", "settle"):
            status, text = step(user, {"old": "overlap", "new": "settle",
                                       "cutover": {"old": "overlap", "new": "settle"}.get(shown(user)["leader"])}[state])
            want(status == 0, text)
    finally:
        stop.set()
        for t in threads:
            t.join()
    want(not said, *said)
    lead, follow = settled(user, shown(user)["state"], accepted)
    equal_sides(lead, follow)
    uidnext_of_leader(user, high)
    want(counts.get(0, 0) > 20 and runs[0] > 50, "only", counts, runs)
    return "%d steps, %d refused, %d to come again; %d delivered, %d deferred, %d killed" % (
        *(counts.get(k, 0) for k in (0, 1, 75)), *runs)


for i in range(ROUNDS):
    u = User("mferry%d" % (i + 1), "overlap")
    to_state(u.name, u.state)
    test("all states while %d LDAs deliver" % WORKERS, all_states, u)
u = User("mferry%d" % (ROUNDS + 1), "overlap")
to_state(u.name, u.state)
test("two admins at once, and undo", two_admins, u)
done()
