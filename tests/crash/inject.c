/* SPDX-License-Identifier: ISC */
/*
 * inject.c - run a program, and let one of its system calls go wrong
 *
 *   inject [-u UID] [-g GID] [-r FD] [-w FD] [-m] [-n] [-a DEV:INODE]...
 *       [-k N | -k rN | -f N:ERRNO | -s N[:SECONDS]] PROGRAM [ARGUMENT...]
 *
 * -k   kill the program right before its Nth system call; with r, right after
 *      its Nth rename to the name of a message, `...,S=...`
 * -f   the Nth call is not made, and fails with that errno
 * -s   stop the program there, as SIGSTOP does: write `held` to the descriptor
 *      of -r, wait for a byte on that of -w, then let the program continue.
 *      With SECONDS it has slept that long: an alarm that it had set for an
 *      earlier moment is delivered first.
 * -m   count from the first umask() on, with which main() begins: what a
 *      sanitizer does before that is not ours
 * -n   open(O_TMPFILE) fails, as on NFS
 * -a   the program sees this file as last changed three minutes ago, so that a
 *      lock looks stale without a wait
 *
 * Calls of threads are counted with those of their process; waits of threads
 * for each other are not.  At the end inject writes to the descriptor of -r:
 * the count of all calls, the number of the call that was hit (-1 if there was
 * no Nth, or if that call cannot fail), and which calls changed something that
 * outlives the process.  The exit status is the program's, or 128 plus the
 * signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGE		180		/* seconds */
#define THREADS		16
#define INODES		8

enum what { NOTHING, KILL, FAIL, STOP };

static enum what what;
static long nth, number = -1, calls;
static int code;
static long slept = -1;			/* -s N:SECONDS */
static int report_fd = 2, wait_fd = 0;
static bool from_main, nfs, by_rename, alarmed;
static long renames;
static struct { unsigned long dev, ino; } aged[INODES];
static int naged;
static char changing[4000]; /* " 17 23 ...": those that change files */
static unsigned long long alarm_set; /* seconds of its last alarm(), 0: none */

static struct thread {
	pid_t	 pid;
	bool	 inside;		/* a system call */
	bool	 renames;		/* this one, to the name of a message */
	int	 fails;			/* this one, with that errno */
} thread[THREADS];

static struct thread *
thread_of(pid_t pid)
{
	int i;

	for (i = 0; i < THREADS && thread[i].pid != 0; i++)
		if (thread[i].pid == pid)
			return &thread[i];
	if (i == THREADS)
		exit(125);
	thread[i].pid = pid;
	return &thread[i];
}

static long
trace(int request, pid_t pid, unsigned long arg)
{
	return ptrace(request, pid, NULL, (void *)arg);
}

/* Not the few that never fail where they are, and without which glibc ends the
 * process; nor what a sanitizer insists on. */
static bool
may_fail(unsigned long long nr)
{
	if (from_main && (nr == SYS_mmap || nr == SYS_munmap ||
	    nr == SYS_mprotect || nr == SYS_madvise || nr == SYS_sigaltstack ||
	    nr == SYS_sched_getaffinity))
		return false;
	return nr != SYS_umask && nr != SYS_exit_group &&
	    nr != SYS_exit && nr != SYS_futex &&
	    nr != SYS_arch_prctl && nr != SYS_rseq;
}

static bool
changes(const struct user_regs_struct *r)
{
	static const unsigned long long nr[] = { SYS_write, SYS_pwrite64,
	    SYS_ftruncate, SYS_renameat, SYS_rename, SYS_linkat, SYS_link,
	    SYS_unlinkat, SYS_unlink, SYS_mkdirat, SYS_mkdir, SYS_utimensat,
	    SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat };
	size_t i;

	if (r->orig_rax == SYS_openat)
		return (r->rdx & O_CREAT) != 0;
	for (i = 0; i < sizeof(nr) / sizeof(nr[0]); i++)
		if (nr[i] == r->orig_rax)
			return true;
	return false;
}

static void
note_change(void)
{
	size_t len = strlen(changing);

	(void)snprintf(changing + len, sizeof(changing) - len, " %ld", calls);
}

static void
report(const char *word)
{
	char line[sizeof(changing) + 80];
	int len = snprintf(line, sizeof(line), "%s %ld %ld%s\n", word, calls,
	    number, changing);

	(void)!write(report_fd, line, (size_t)len);
}

/*
 * The whole process sleeps: its other thread, if there is one, waits in its
 * own next call until we come back to it.  True: the alarm ends it, before
 * that call.
 */
static bool
hold(pid_t pid)
{
	char byte;

	report("held");
	(void)!read(wait_fd, &byte, 1);
	if (slept < 0 || alarm_set == 0 || (long)alarm_set > slept)
		return false;
	(void)kill(pid, SIGKILL);	/* SIGALRM may go to another thread */
	return true;
}

/* A word of its memory. */
static unsigned long
peek(pid_t pid, unsigned long long at, size_t member)
{
	return (unsigned long)ptrace(PTRACE_PEEKDATA, pid,
	    (void *)(uintptr_t)(at + member), NULL);
}

static bool
is_message(pid_t pid, unsigned long long at)
{
	char name[257] = "";
	unsigned long word;
	size_t i;

	for (i = 0; i + sizeof(word) < sizeof(name) && strlen(name) == i;
	    i += sizeof(word)) {
		word = peek(pid, at, i);
		memcpy(name + i, &word, sizeof(word));
	}
	return strstr(name, ",S=") != NULL;
}

static void
enter(pid_t main_pid, struct thread *th)
{
	struct user_regs_struct r;

	(void)ptrace(PTRACE_GETREGS, th->pid, NULL, &r);
	if (calls == 0 && from_main && r.orig_rax != SYS_umask)
		return;
	if (r.orig_rax == SYS_alarm)
		alarm_set = r.rdi & UINT32_MAX;
	if (r.orig_rax == SYS_futex)
		return;		/* how often, that is up to who is faster */
	calls++;
	if (changes(&r))
		note_change();
	th->renames = r.orig_rax == SYS_renameat && is_message(th->pid, r.r10);
	if (calls == nth && what != NOTHING && !by_rename) {
		number = (long)r.orig_rax;
		if (what == KILL)
			(void)kill(main_pid, SIGKILL);
		else if (what == STOP)
			alarmed = hold(main_pid);
		else if (may_fail(r.orig_rax))
			th->fails = code;
		else
			number = -1;
	} else if (nfs && r.orig_rax == SYS_openat &&
	    (r.rdx & O_TMPFILE) == O_TMPFILE)
		th->fails = EOPNOTSUPP;
	if (th->fails != 0) {
		if (r.orig_rax == SYS_brk) { /* fails by staying where it is */
			r.rdi = 0;
			th->fails = 0;
		} else
			r.orig_rax = (unsigned long long)-1;
		(void)ptrace(PTRACE_SETREGS, th->pid, NULL, &r);
	}
}

static void
set_back(pid_t pid, unsigned long long at, size_t member)
{
	(void)ptrace(PTRACE_POKEDATA, pid, (void *)(uintptr_t)(at + member),
	    (void *)(peek(pid, at, member) - AGE));
}

/* The same of what statx() says, which has its device in two halves. */
static void
age_statx(pid_t pid, unsigned long long buf)
{
	unsigned long major = peek(
	    pid, buf, offsetof(struct statx, stx_dev_major));
	unsigned long ino = peek(pid, buf, offsetof(struct statx, stx_ino));
	unsigned long dev = makedev((unsigned)major, (unsigned)(major >> 32));
	int i;

	for (i = 0; i < naged; i++)
		if (aged[i].dev == dev && aged[i].ino == ino) {
			set_back(pid, buf, offsetof(struct statx, stx_mtime));
			set_back(pid, buf, offsetof(struct statx, stx_ctime));
		}
}

static void
leave(pid_t main_pid, struct thread *th)
{
	struct user_regs_struct r;
	unsigned long long buf;
	unsigned long dev, ino;
	int i;

	(void)ptrace(PTRACE_GETREGS, th->pid, NULL, &r);
	if (th->fails != 0) {
		r.rax = (unsigned long long)-(long long)th->fails;
		(void)ptrace(PTRACE_SETREGS, th->pid, NULL, &r);
		th->fails = 0;
		return;
	}
	if (th->renames && ++renames == nth && by_rename)
		(void)kill(main_pid, SIGKILL);
	th->renames = false;
	if (naged > 0 && r.rax == 0 && r.orig_rax == SYS_statx) {
		age_statx(th->pid, r.r8);
		return;
	}
	if (naged == 0 || r.rax != 0 || (r.orig_rax != SYS_newfstatat &&
	    r.orig_rax != SYS_fstat))
		return;
	buf = r.orig_rax == SYS_fstat ? r.rsi : r.rdx;
	dev = peek(th->pid, buf, offsetof(struct stat, st_dev));
	ino = peek(th->pid, buf, offsetof(struct stat, st_ino));
	for (i = 0; i < naged; i++)
		if (aged[i].dev == dev && aged[i].ino == ino) {
			set_back(th->pid, buf, offsetof(struct stat, st_mtim));
			set_back(th->pid, buf, offsetof(struct stat, st_ctim));
		}
}

/* Until the program ends. */
static int
follow(pid_t pid)
{
	struct thread *th;
	int status, sig;
	pid_t who;

	for (;;) {
		who = waitpid(-1, &status, __WALL);
		if (who == -1)
			exit(125);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (who == pid)
				return status;
			continue;
		}
		sig = 0;
		th = thread_of(who);
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			th->inside = !th->inside;
			if (th->inside)
				enter(pid, th);
			else
				leave(pid, th);
		} else if (WSTOPSIG(status) != SIGTRAP &&
		    WSTOPSIG(status) != SIGSTOP)
			sig = WSTOPSIG(status);
		(void)trace(PTRACE_SYSCALL, who, (unsigned long)sig);
	}
}

static int
usage(void)
{
	(void)fprintf(stderr,
	    "usage: inject [-u UID] [-g GID] [-r FD] [-w FD] [-m] [-n]\n"
	    "       [-a DEV:INODE]... [-k N | -f N:ERRNO | -s N[:SECONDS]]"
	    " PROGRAM...\n");
	return 125;
}

static void
set_what(enum what w, const char *arg)
{
	char *end;

	what = w;
	by_rename = w == KILL && *arg == 'r';
	nth = strtol(arg + by_rename, &end, 10);
	if (*end == ':' && w == FAIL)
		code = atoi(end + 1);
	else if (*end == ':')
		slept = atol(end + 1);
}

int
main(int argc, char **argv)
{
	long uid = -1, gid = -1;
	int c, status;
	pid_t pid;

	while ((c = getopt(argc, argv, "+u:g:r:w:mna:k:f:s:")) != -1)
		switch (c) {
		case 'u': uid = atol(optarg); break;
		case 'g': gid = atol(optarg); break;
		case 'r': report_fd = atoi(optarg); break;
		case 'w': wait_fd = atoi(optarg); break;
		case 'm': from_main = true; break;
		case 'n': nfs = true; break;
		case 'k': set_what(KILL, optarg); break;
		case 'f': set_what(FAIL, optarg); break;
		case 's': set_what(STOP, optarg); break;
		case 'a':
			if (naged == INODES || sscanf(optarg, "%lu:%lu",
			    &aged[naged].dev, &aged[naged].ino) != 2)
				return usage();
			naged++;
			break;
		default:
			return usage();
		}
	if (optind == argc)
		return usage();
	pid = fork();
	if (pid == 0) {
		(void)fcntl(report_fd, F_SETFD, report_fd > 2 ? FD_CLOEXEC : 0);
		(void)fcntl(wait_fd, F_SETFD, wait_fd > 2 ? FD_CLOEXEC : 0);
		if ((uid != -1 && setgroups(0, NULL) == -1) ||
		    (gid != -1 && setregid((gid_t)gid, (gid_t)gid) == -1) ||
		    (uid != -1 && setreuid((uid_t)uid, (uid_t)uid) == -1))
			_exit(125);
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)execv(argv[optind], argv + optind);
		_exit(126);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 125;
	(void)trace(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESYSGOOD |
	    PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	(void)thread_of(pid);
	(void)trace(PTRACE_SYSCALL, pid, 0);
	status = follow(pid);
	report("end");
	if (alarmed)
		return 128 + SIGALRM;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
