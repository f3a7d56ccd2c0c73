/* SPDX-License-Identifier: ISC */
/*
 * asuser_test.c - children that work as a user, and what a user may do to them
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lda/store/asuser.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"

static struct record rec = { .user = "u", .uid = -1,
    .state = STATE_OLD };

static const char *trusted[] = { "4000001", "nosuchuser", "root", NULL };
static const struct conf conf = { .trusted_users = trusted };

struct heard {				/* in the parent */
	char	text[300];
	int	lines;
	pid_t	pid;
};

static void
on_line(const char *line, void *arg)
{
	struct heard *h = arg;

	h->lines++;
	(void)snprintf(h->text, sizeof(h->text), "%s", line);
	if (strncmp(line, "pid ", 4) == 0)
		h->pid = (pid_t)atoi(line + 4);
}

static enum status
run(as_user_fn *fn, void *arg, int deadline, struct heard *h, struct err *err)
{
	memset(h, 0, sizeof(*h));
	return as_user(&rec, &conf, deadline, fn, arg, on_line, h, err);
}

/* Nobody of that id is left: killed and waited for. */
static bool
is_gone(pid_t pid)
{
	return kill(pid, 0) == -1 && errno == ESRCH;
}

static enum status
say_pid(int out, struct err *err)
{
	return as_user_say(out, err, "pid %ld", (long)getpid());
}

static enum status
count(void *arg, int out, struct err *err)
{
	enum status st = ST_OK;
	int i, n = *(int *)arg;

	for (i = 1; i <= n && st == ST_OK; i++)
		st = as_user_say(out, err, "%d", i);
	return st;
}

static enum status
stop_itself(void *arg, int out, struct err *err)
{
	enum status st = say_pid(out, err);

	(void)arg;
	(void)raise(SIGSTOP);
	return st;
}

static enum status
kill_itself(void *arg, int out, struct err *err)
{
	enum status st = say_pid(out, err);

	(void)arg;
	(void)raise(SIGKILL);
	return st;
}

static enum status
fail_with(void *arg, int out, struct err *err)
{
	(void)out;
	return err_set(err, *(enum status *)arg, "because of\nthat");
}

static enum status
find_nothing(void *arg, int out, struct err *err)
{
	(void)arg;
	(void)out;
	(void)err;
	return ST_NONE;
}

static enum status
say_garbage(void *arg, int out, struct err *err)
{
	(void)err;
	(void)!file_write(out, arg, strlen(arg));
	_exit(0);
}

static void
results(void **state)
{
	enum status each[] = { ST_AGAIN, ST_NEVER };
	struct heard h;
	struct err err;
	size_t i;
	int n = 20000;

	(void)state;
	assert_int_equal(run(count, &n, 60, &h, &err), ST_OK);
	assert_int_equal(h.lines, n);
	assert_string_equal(h.text, "20000");
	assert_int_equal(run(find_nothing, NULL, 60, &h, &err), ST_NONE);
	for (i = 0; i < 2; i++) {
		assert_int_equal(run(fail_with, &each[i], 60, &h, &err),
		    each[i]);
		assert_string_equal(err.text, "because of?that");
	}
}

static void
no_result(void **state)
{
	static const char *const cases[] = { "", "ok", ".line", "hello\n",
	    "okay \n", ".a\n" };
	struct heard h;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(run(say_garbage, (void *)cases[i], 60, &h,
		    &err), ST_AGAIN);
	assert_string_equal(h.text, "a");
}

static void
reported(void **state)
{
	char big[AS_USER_LINE];
	struct err err;
	int null = open("/dev/null", O_WRONLY);

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(as_user_say(null, &err, "%s", big), ST_NEVER);
	assert_int_equal(as_user_say(null, &err, "%s", big + 2), ST_OK);
	assert_int_equal(as_user_say(null, &err, "a\nb"), ST_NEVER);
	(void)close(null);
}

/* The user's own signal must not hang the command, however long it lasts. */
static void
stopped(void **state)
{
	long long before = clock_ms();
	struct heard h;
	struct err err;

	(void)state;
	assert_int_equal(run(stop_itself, NULL, 1, &h, &err), ST_AGAIN);
	assert_true(clock_ms() - before >= 1000);
	assert_non_null(strstr(err.text, "within 1 seconds"));
	assert_true(h.pid > 0 && is_gone(h.pid));
}

static void
killed(void **state)
{
	long long before = clock_ms();
	struct heard h;
	struct err err;

	(void)state;
	assert_int_equal(run(kill_itself, NULL, 60, &h, &err), ST_AGAIN);
	assert_true(clock_ms() - before < 30000);
	assert_non_null(strstr(err.text, "was killed"));
	assert_true(is_gone(h.pid));
}

struct meeting {
	int	me;
	int	(*pipe)[2];
};

/* Ends when the other one has begun. */
static enum status
meet(void *arg, int out, struct err *err)
{
	struct meeting *m = arg;
	char c = 'x';

	if (write(m->pipe[!m->me][1], &c, 1) != 1 ||
	    read(m->pipe[m->me][0], &c, 1) != 1)
		return err_sys(err, "pipe");
	return as_user_say(out, err, "met");
}

static void
at_a_time(void **state)
{
	int pipes[2][2], i;
	struct meeting m[2] = { { 0, pipes }, { 1, pipes } };
	struct worker *w[3];
	struct heard h = { .lines = 0 };
	struct err err;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_int_equal(pipe(pipes[i]), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(worker_begin(NULL, &rec, &conf, 60, meet,
		    &m[i], on_line, &h, &w[i], &err), ST_OK);
	assert_int_equal(workers_end(w, 2, &err), ST_OK);
	assert_int_equal(h.lines, 2);

	/* One that does not end spoils the result, not the work of the
	 * others. */
	h.lines = 0;
	for (i = 0; i < 2; i++)
		assert_int_equal(worker_begin(NULL, &rec, &conf, 60, meet,
		    &m[i], on_line, &h, &w[i + 1], &err), ST_OK);
	assert_int_equal(worker_begin(NULL, &rec, &conf, 1, stop_itself, NULL,
	    on_line, &h, &w[0], &err), ST_OK);
	assert_int_equal(workers_end(w, 3, &err), ST_AGAIN);
	assert_int_equal(h.lines, 3);
	assert_true(is_gone(h.pid));
}

/* Is the process gone, or about to be? */
static bool
dies(pid_t pid)
{
	long long until = clock_ms() + 20000;
	char path[64], state = '?';
	FILE *f;

	while (clock_ms() < until) {
		(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
		f = fopen(path, "r");
		if (f == NULL)
			return true;
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		(void)fclose(f);
		if (state == 'Z' || state == 'X')
			return true;
		(void)poll(NULL, 0, 10);
	}
	return false;
}

/* Reports its pid on a pipe of the test's, and sleeps. */
static enum status
sleep_on(void *arg, int out, struct err *err)
{
	pid_t pid = getpid();

	(void)out;
	if (write(*(int *)arg, &pid, sizeof(pid)) != sizeof(pid))
		return err_sys(err, "pipe");
	(void)poll(NULL, 0, 600000);
	return ST_OK;
}

/* The command is killed: nobody goes on with the user's mail. */
static void
dies_with_its_parent(void **state)
{
	pid_t command, worker = 0;
	struct heard h;
	struct err err;
	int pids[2];

	(void)state;
	assert_int_equal(pipe(pids), 0);
	command = fork();
	if (command == 0) {
		if (geteuid() == 0)	/* the change of uid takes it back */
			rec.user = "nobody";
		(void)run(sleep_on, &pids[1], 600, &h, &err);
		_exit(0);
	}
	assert_int_equal(read(pids[0], &worker, sizeof(worker)),
	    sizeof(worker));
	assert_int_equal(kill(worker, 0), 0);
	(void)kill(command, SIGKILL);
	assert_int_equal(waitpid(command, NULL, 0), command);
	assert_true(dies(worker));
	(void)close(pids[0]);
	(void)close(pids[1]);
}

/* Root's child is never root, whatever a record or a file says. */
static enum status
say_uid(void *arg, int out, struct err *err)
{
	(void)arg;
	return as_user_say(out, err, "%ld %ld %d", (long)getuid(),
	    (long)geteuid(), getgroups(0, NULL));
}

static enum status
as(const struct record *user, struct heard *h, struct err *err)
{
	return as_user(user, &conf, 60, say_uid, NULL, on_line, h, err);
}

static void
becomes_the_user(void **state)
{
	struct record user = rec;
	struct heard h = { .lines = 0 };
	struct err err;
	char dir[] = "/tmp/asuser.XXXXXX", mail[64], link[64];

	(void)state;
	if (geteuid() != 0)
		skip();
	user.user = "nobody";
	assert_int_equal(as(&user, &h, &err), ST_OK);
	assert_string_equal(h.text, "65534 65534 1");
	user.uid = 65534;
	assert_int_equal(as(&user, &h, &err), ST_OK);
	user.uid = 0;			/* a record that is wrong */
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	user.uid = 2;
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	user.user = "root";
	user.uid = -1;
	assert_int_equal(as(&user, &h, &err), ST_NEVER);

	/* A name without an account: one of trusted_users, or nobody. */
	user.user = "bob@x.test";
	assert_int_equal(as(&user, &h, &err), ST_OK);
	assert_string_equal(h.text, "65534 65534 1");
	user.uid = 0;
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	user.uid = 4000000;
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	user.uid = 4000001;
	assert_int_equal(as(&user, &h, &err), ST_OK);
	assert_string_equal(h.text, "4000001 4000001 1");

	/* As the mailbox says. */
	assert_non_null(mkdtemp(dir));
	(void)snprintf(mail, sizeof(mail), "%s/mail", dir);
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	user.uid = -1;
	user.side[NEW].mail = mail;
	assert_int_equal(mkdir(mail, 0700), 0);
	assert_int_equal(as(&user, &h, &err), ST_NEVER);	/* root's */
	assert_int_equal(chown(mail, 4000000, 0), 0);
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	assert_int_equal(chown(mail, 4000001, 0), 0);
	assert_int_equal(as(&user, &h, &err), ST_OK);
	assert_string_equal(h.text, "4000001 4000001 1");
	user.side[NEW].mail = link;
	assert_int_equal(symlink(mail, link), 0);
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	assert_int_equal(unlink(link), 0);
	/* On the way only root's links are followed. */
	assert_int_equal(symlink(dir, link), 0);
	(void)snprintf(mail, sizeof(mail), "%s/link/mail", dir);
	user.side[NEW].mail = mail;
	assert_int_equal(as(&user, &h, &err), ST_OK);
	assert_int_equal(lchown(link, 4000000, 0), 0);
	assert_int_equal(as(&user, &h, &err), ST_NEVER);
	assert_int_equal(unlink(link), 0);
	(void)snprintf(mail, sizeof(mail), "%s/mail", dir);
	assert_int_equal(rmdir(mail), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
freed_early(void **state)
{
	struct worker *w = NULL;
	struct heard h = { .lines = 0 };
	struct err err;

	(void)state;
	assert_int_equal(worker_begin(NULL, &rec, &conf, 60, stop_itself, NULL,
	    on_line, &h, &w, &err), ST_OK);
	talloc_free(w);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(no_result),
		cmocka_unit_test(reported),
		cmocka_unit_test(stopped),
		cmocka_unit_test(killed),
		cmocka_unit_test(at_a_time),
		cmocka_unit_test(dies_with_its_parent),
		cmocka_unit_test(becomes_the_user),
		cmocka_unit_test(freed_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
