# SPDX-License-Identifier: ISC
"""hostile_client.py WHAT SOCKET [ARGUMENT...]: a client of mapd that means it ill

passes N SECONDS  connect N times; each connection gets a TCP socket with unsent data and SO_LINGER beside half a
                  question, behind a whole one, behind rubbish, as an urgent byte, or alone with many others
pipelines N       N connections with as many questions as the kernel takes; the answers are not read
holds N           N connections that say nothing
drips SECONDS     half a question, then a byte now and then: prints after how many seconds mapd closes
counts            the requests that mapd had answered when it answered this one, at the metrics socket
Each prints a line when it is done, and those that hold connections then sleep until they are killed.
"""
import array, re, resource, select, socket, struct, sys, time

what, path, args = sys.argv[1], sys.argv[2], [int(a) for a in sys.argv[3:]]
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
QUESTION = b"30:transport someone@example.test,"

def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    return s

def lingers(seconds):
    l = socket.socket()
    l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    l.bind(("127.0.0.1", 0))
    l.listen(1)
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    c.connect(l.getsockname())
    held.append((l, l.accept()))
    c.setblocking(False)
    for _ in range(4):
        try:
            while True: c.send(b"x" * 65536)
        except BlockingIOError: time.sleep(0.01)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    return c

def passes(n, seconds):
    refused = 0
    for i in range(n):
        c, u = lingers(seconds), connect()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [c.fileno()]))]
        if i % 5 == 1: u.send(QUESTION)
        if i % 5 == 2: u.send(b"rubbish" * 100)
        try:
            u.sendmsg([b"x" if i % 5 == 3 else b"12:get mferry"], rights, socket.MSG_OOB if i % 5 == 3 else 0)
            c.close()
        except OSError:
            refused += 1
            held.append(c)          # its last close would wait here
        if i % 5 != 4: held.append(u)
        else: u.close()
    print("passed", n - refused, "refused", refused, flush=True)

def pipelines(n):
    block = QUESTION * 2000
    for s in [connect() for _ in range(n)]:
        s.setblocking(False)
        held.append([s, block])
    print("connected", flush=True)
    sys.stdin.readline()
    moved = time.time()
    while time.time() - moved < 1:
        for e in held:
            try:
                e[1] = e[1][e[0].send(e[1]):] or block
                moved = time.time()
            except OSError: pass
        if time.time() - moved > 0.2: time.sleep(0.05)
    print("sent", flush=True)

def drips(seconds):
    s, begin = connect(), time.time()
    s.send(b"100:transport ")
    while time.time() - begin < seconds:
        try: s.send(b"x")
        except OSError: break
        time.sleep(0.2)
    print(int(time.time() - begin), flush=True)
    sys.exit()

def counts():
    s = connect()
    s.send(b"GET /metrics HTTP/1.0\r\n\r\n")
    print("asked", flush=True)
    said = b""
    while True:
        more = s.recv(65536)
        if not more: break
        said += more
    print(sum(int(n) for n in re.findall(rb'^mailferry_requests_total\{.*\} (\d+)', said, re.M)), flush=True)
    sys.exit()

def holds(n):
    for _ in range(n):
        s = connect()
        held.append(s)
    # Those that were turned away have an answer, or an end.
    time.sleep(0.5)
    print(len(held) - len(select.select(held, [], [], 0)[0]), flush=True)

held = []
{"passes": passes, "pipelines": pipelines, "drips": drips, "counts": counts, "holds": holds}[what](*args)
time.sleep(600)
