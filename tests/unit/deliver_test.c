/* SPDX-License-Identifier: ISC */
/*
 * deliver_test.c - whole deliveries: a real map, two Maildirs, kills
 */
#include "tests/unit/sides.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/handover.h"
#include "lda/store/pair.h"
#include "lda/transaction.h"
#include "maps/transition.h"

/* One run of the LDA's middle, from the map to the mailbox. */
static enum status
run(const char *text, size_t len, struct delivery *dv, struct err *err)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct envelope env = { .sender = "s@x.test" };
	struct record *rec = NULL;
	struct message *msg = NULL;
	struct timespec ts;
	FILE *in = tmpfile();
	enum status st;

	if (in == NULL) {
		talloc_free(ctx);
		return err_sys(err, "tmpfile");
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	(void)fwrite(text, 1, len, in);
	(void)fflush(in);
	(void)lseek(fileno(in), 0, SEEK_SET);
	*dv = (struct delivery){ .ctx = ctx, .conf = conf,
	    .user = "u", .recipient = "u@x.test", .folder = "", .uids = true,
	    .until = ts.tv_sec * 1000LL + 100000 };
	/* In the killed child nothing may fail a test: it would go on with
	 * it. */
	st = map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &dv->map, err);
	if (st == ST_OK)
		st = map_get(dv->map, ctx, "u", NULL, time(NULL), &rec, err);
	if (st == ST_OK)
		st = message_begin(ctx, &env, fileno(in), &msg, err);
	if (st == ST_OK)
		st = deliver(dv, rec, msg, err);
	(void)alarm(0);
	(void)fclose(in);
	talloc_free(dv->map);
	talloc_free(ctx);
	return st;
}

static char *
mail(int n)
{
	return talloc_asprintf(conf,
	    "From s@x.test  Mon Jan  1 00:00:0%d 2026\n"
	    "Received: by mx.x.test (Postfix)\n\tid 4XYZ%06d; Mon\n"
	    "Subject: %d\n\nbody %d\n",
	    n % 10, n, n, n);
}

static void
send_mail(int n, struct delivery *dv)
{
	struct err err;
	char *text = mail(n);

	if (run(text, strlen(text), dv, &err) != ST_OK)
		fail_msg("%s", err.text);
}

/* Files in new/ and cur/ whose uidlist line has a UID; -1 where one lacks
 * it. */
static int
count(const char *side, uint32_t *next)
{
	char path[200];
	struct uidlist_line *lines;
	struct uidlist ul;
	struct dirent *de;
	struct err err;
	size_t n, i;
	int fd, files = 0, k;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s/u", dir, side);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd == -1)
		return 0;
	if (uidlist_read(&ul, fd, &err) != ST_OK) {
		(void)close(fd);
		return 0;
	}
	assert_int_equal(uidlist_from(conf, &ul, 1, &lines, &n, &err), ST_OK);
	if (next != NULL)
		*next = ul.next;
	for (k = 0; k < 2; k++) {
		d = fdopendir(openat(fd, k ? "cur" : "new", O_RDONLY));
		while ((de = readdir(d)) != NULL) {
			if (de->d_name[0] == '.')
				continue;
			for (i = 0; i < n; i++)
				if (strncmp(lines[i].name, de->d_name,
				    strlen(lines[i].name)) == 0)
					break;
			files = i == n ? -1000 : files + 1;
		}
		(void)closedir(d);
	}
	uidlist_close(&ul);
	(void)close(fd);
	return files;
}

/* The same files with the same UIDs and bytes on both sides. */
static void
sides_agree(void)
{
	shell(
	    "cd %s && diff -r old/u/new new/u/new && "
	    "diff -r old/u/cur new/u/cur && cd old/u/new && for f in *; do "
	    "[ -e \"$f\" ] || continue; "
	    "a=$(grep -F \":$f\" ../dovecot-uidlist) && "
	    "b=$(grep -F \":$f\" ../../../new/u/dovecot-uidlist) && "
	    "[ \"$a\" = \"$b\" ] && [ $(stat -c %%Y \"$f\") = "
	    "$(stat -c %%Y \"../../../new/u/new/$f\") ] || exit 1; done",
	    dir);
}

static void
one_side_then_both(void **state)
{
	struct delivery dv;
	uint32_t a, b;
	struct map *map;
	struct record *was, *is;
	struct err err;

	(void)state;
	begin(STATE_OLD);
	send_mail(1, &dv);
	assert_int_equal(dv.uid, 1);
	assert_int_equal(count("old", &a), 1);
	assert_int_equal(count("new", NULL), 0);
	map = open_map();
	assert_int_equal(map_get(map, conf, "u", NULL, 0, &was, &err), ST_OK);
	assert_int_equal(transition_step(conf, was, STATE_OVERLAP, 0, 0, 0, &is,
	    &err), ST_OK);
	assert_int_equal(map_replace(map, was, is, &(struct change_by){ "t",
	    time(NULL), "" }, NULL, &err), ST_OK);
	talloc_free(map);
	send_mail(2, &dv);
	assert_int_equal(dv.uid, 2);
	assert_int_equal(count("old", &a), 2);
	assert_int_equal(count("new", &b), 1);
	assert_int_equal(a, 3);
	assert_int_equal(b, 3);
}

static void
retry_is_known(void **state)
{
	struct delivery dv;

	(void)state;
	begin(STATE_OVERLAP);
	send_mail(1, &dv);
	assert_false(dv.known);
	shell("rm %s/old/u/new/*", dir);	/* the client was faster */
	send_mail(1, &dv);
	assert_true(dv.known);
	assert_int_equal(count("old", NULL), 0);
	assert_int_equal(count("new", NULL), 1);
	send_mail(2, &dv);
	assert_false(dv.known);
}

static void
catches_up(void **state)
{
	struct delivery dv;

	(void)state;
	begin(STATE_OVERLAP);
	send_mail(1, &dv);
	/* What Dovecot does for an APPEND: a file with flags, and its line. */
	shell("cd %s/old/u && printf 'x\\n' >cur/123.appended:2,FS && "
	    "echo '7 :123.appended' >>dovecot-uidlist", dir);
	send_mail(2, &dv);
	assert_int_equal(dv.uid, 8);
	sides_agree();
	assert_int_equal(count("new", NULL), 3);
}

static void
never_served_is_set_aside(void **state)
{
	struct delivery dv;

	(void)state;
	begin(STATE_OVERLAP);
	send_mail(1, &dv);
	shell("sed -i '1s/ V[0-9]*/ V5/' %s/new/u/dovecot-uidlist", dir);
	send_mail(2, &dv);
	assert_int_equal(dv.uid, 2);
	assert_int_equal(count("new", NULL), 1);
	shell(
	    "cd %s/new/u && ls tmp/mailferry-aside/*.INBOX/new/* >/dev/null && "
	    "test $(head -n 1 dovecot-uidlist | cut -d' ' -f2) = "
	    "$(head -n 1 ../../old/u/dovecot-uidlist | cut -d' ' -f2)",
	    dir);
}

static void
large_and_odd(void **state)
{
	size_t len = 300 * 1024 + 7, i;
	char *text = talloc_size(conf, len);
	struct delivery dv;
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	for (i = 0; i < len; i++)
		text[i] = (char)(i * 31 % 256);
	memcpy(text, "A: b\n\n", 6);
	assert_int_equal(run(text, len, &dv, &err), ST_OK);
	assert_int_equal(run("", 0, &dv, &err), ST_OK);
	sides_agree();
	shell("ls %s/old/u/new | grep -q ',S=%zu,W='", dir, len);
	assert_int_equal(count("old", NULL), 2);
}

/* In the child: stop at the nth system call, and die there. */
static bool
killed_at(int nth, const char *text)
{
	struct delivery dv;
	struct err err;
	int status, n = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(run(text, strlen(text), &dv, &err) == ST_OK ? 0 : 75);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (;;) {
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		if (++n == nth) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			return true;
		}
	}
}

/* A lock left behind is stale after two seconds: those are not waited here. */
static void
age_locks(void)
{
	shell(
	    "rm -f %s/old/u/dovecot-uidlist.lock %s/new/u/dovecot-uidlist.lock",
	    dir, dir);
}

/* Wherever it dies, on entry to a system call or behind it: after the retry the
 * message is once on each side, with one UID, and nothing lacks a line. */
static void
killed_anywhere(void **state)
{
	struct delivery dv;
	bool died = true;
	uint32_t a, b;
	int n, from;

	(void)state;
	for (n = 20; died; n++) {
		begin(STATE_OVERLAP);
		send_mail(1, &dv);
		died = killed_at(n, mail(2));
		assert_true(count("old", NULL) >= 1);
		age_locks();
		from = count("old", NULL);
		assert_true(from == 1 || from == 2);
		send_mail(2, &dv);
		if (count("old", &a) != 2 || count("new", &b) != 2 || a != b)
			fail_msg("killed at %d: %d and %d, next %u and %u", n,
			    count("old", NULL), count("new", NULL), a, b);
		sides_agree();
	}
	print_message("# %d places\n", n - 20);
	assert_true(n > 100);
}

/* As UIDs and names: flags may be behind on the follower. */
static void
same_lines(int n)
{
	int a = count("old", NULL), b = count("new", NULL);

	if (a != n || b != n)
		fail_msg("%d and %d, not %d", a, b, n);
	shell("cd %s && for s in old new; do ls $s/u/new $s/u/cur | sed -n "
	    "'s/:2,.*//; /^[0-9]/p' | sort >$s.names; done; cmp old.names "
	    "new.names && for n in $(cat old.names); do grep -hF \":$n\" "
	    "old/u/dovecot-uidlist new/u/dovecot-uidlist | uniq | wc -l | "
	    "grep -qx 1 || exit 1; done", dir);
}

/* The same beside a client, who APPENDs before the delivery and after its
 * death, and changes a flag: the follower has all of it, once. */
static void
killed_beside_a_client(void **state)
{
	struct delivery dv;
	bool died = true;
	uint32_t next;
	int n, from;

	(void)state;
	for (n = 20; died; n++) {
		begin(STATE_OVERLAP);
		send_mail(1, &dv);
		shell("cd %s/old/u && echo x >cur/123.a:2, && echo '2 :123.a' "
		    ">>dovecot-uidlist", dir);
		died = killed_at(n, mail(2));
		age_locks();
		from = count("old", &next);
		assert_true(from == 2 || from == 3);
		shell("cd %s/old/u && mv cur/123.a:2, cur/123.a:2,S && echo y "
		    ">cur/124.b:2,S && echo '%u :124.b' >>dovecot-uidlist", dir,
		    next);
		send_mail(2, &dv);
		send_mail(3, &dv);	/* the second may have been known */
		same_lines(5);
	}
}

/* Not what cannot: glibc ends the process where a futex says so, and the
 * address sanitizer where its memory does. */
static bool
may_fail(long nr)
{
#ifdef __SANITIZE_ADDRESS__
	if (nr == SYS_mmap || nr == SYS_munmap || nr == SYS_mprotect ||
	    nr == SYS_madvise || nr == SYS_sigaltstack)
		return false;
#endif
	return nr != SYS_exit_group && nr != SYS_futex;
}

static long failing;			/* its number; -1: there was no nth */

/*
 * In the child: the nth system call is not made and fails with `code`.  The
 * exit status, -1 where the child ended before, or where the call cannot fail
 * so.
 */
static int
failed_at(int nth, int code, const char *text)
{
	struct user_regs_struct regs;
	struct delivery dv;
	struct err err;
	int status, n = 0, sig = 0;
	bool injected = false;
	pid_t pid = fork();

	failing = -1;
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(run(text, strlen(text), &dv, &err) == ST_OK ? 0 : 75);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)ptrace(PTRACE_SETOPTIONS, pid, NULL,
	    (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD);
	for (;;) {
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(uintptr_t)sig);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		sig = 0;
		if (WIFEXITED(status))
			return injected ? WEXITSTATUS(status) : -1;
		if (WIFSIGNALED(status))
			return 1000 + WTERMSIG(status);
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
			sig = WSTOPSIG(status);
			continue;
		}
		if (++n != 2 * nth)	/* entries are odd, exits even */
			goto entry;
		(void)ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		if (injected) {
			regs.rax = (unsigned long long)-(long long)code;
			(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		}
		continue;
entry:
		if (n == 2 * nth - 1) {
			(void)ptrace(PTRACE_GETREGS, pid, NULL, &regs);
			injected = may_fail((long)regs.orig_rax);
			failing = (long)regs.orig_rax;
			if (injected) {
				regs.orig_rax = (unsigned long long)-1;
				(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
			}
		}
	}
}

/* Whatever call fails, once: it is delivered whole, or deferred with nothing
 * half to be seen; and the retry makes it right. */
static void
fails_anywhere(int code)
{
	struct delivery dv;
	int n, status = 0, seen, done = 0, deferred = 0;
	uint32_t a, b;

	/* How many calls there are differs from run to run: threads. */
	failing = 0;
	for (n = 10; failing != -1 && failing != SYS_exit_group; n++) {
		begin(STATE_OVERLAP);
		send_mail(1, &dv);
		status = failed_at(n, code, mail(2));
		if (status == -1)
			continue;
		if (status != 0 && status != 75)
			fail_msg("call %d (%ld) failing with %d: status %d", n,
			    failing, code, status);
		seen = count("old", NULL);
		if (seen < 1 || seen > 2 || (status == 0 && seen != 2) ||
		    count("new", NULL) < 1 || count("new", NULL) < seen)
			fail_msg(
			    "call %d (%ld) failing with %d: status %d, %d and "
			    "%d",
			    n, failing, code, status, seen, count("new", NULL));
		*(status == 0 ? &done : &deferred) += 1;
		age_locks();
		send_mail(2, &dv);
		if (count("old", &a) != 2 || count("new", &b) != 2 || a != b)
			fail_msg(
			    "call %d (%ld) failing with %d, retried: %d and "
			    "%d",
			    n, failing, code, count("old", NULL),
			    count("new", NULL));
		sides_agree();
	}
	print_message(
	    "# errno %d: %d done, %d deferred\n", code, done, deferred);
	assert_true(deferred > 50 && done > 10);
}

static void
no_space_anywhere(void **state)
{
	(void)state;
	fails_anywhere(ENOSPC);
}

static void
io_error_anywhere(void **state)
{
	(void)state;
	fails_anywhere(EIO);
}

static void
forbidden_anywhere(void **state)
{
	(void)state;
	fails_anywhere(EACCES);
}

static void
no_descriptor_anywhere(void **state)
{
	(void)state;
	fails_anywhere(EMFILE);
}

static void
hands_over(void **state)
{
	struct handover ho = { .conf = conf, .next = NEW };
	struct delivery dv;
	struct record *rec;
	struct map *map;
	struct err err;
	uint32_t next;

	(void)state;
	begin(STATE_OVERLAP);
	send_mail(1, &dv);
	/* UIDs that were used and expunged on the leader: N says so. */
	shell("sed -i '1s/ N[0-9]*/ N124/' %s/old/u/dovecot-uidlist", dir);
	map = open_map();
	assert_int_equal(map_get(map, conf, "u", NULL, 0, &rec, &err), ST_OK);
	talloc_free(map);
	ho.rec = rec;
	if (handover(&ho, &err) != ST_OK)
		fail_msg("%s", err.text);
	assert_int_equal(count("new", &next), 1);
	assert_int_equal(next, 124);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_side_then_both),
		cmocka_unit_test(retry_is_known),
		cmocka_unit_test(catches_up),
		cmocka_unit_test(never_served_is_set_aside),
		cmocka_unit_test(large_and_odd),
		cmocka_unit_test(killed_anywhere),
		cmocka_unit_test(killed_beside_a_client),
		cmocka_unit_test(no_space_anywhere),
		cmocka_unit_test(io_error_anywhere),
		cmocka_unit_test(forbidden_anywhere),
		cmocka_unit_test(no_descriptor_anywhere),
		cmocka_unit_test(hands_over),
	};

	return run_sides("deliver", tests, sizeof(tests) / sizeof(tests[0]));
}
