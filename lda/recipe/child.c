/* SPDX-License-Identifier: ISC */
/*
 * child.c - a program: started, fed, listened to and waited for
 */
#include "lda/recipe/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "maps/base/clock.h"

#define GRACE		8000		/* ms from SIGTERM to SIGKILL */
#define CHUNK		((size_t)64 * 1024)
#define NEVER		((long long)1 << 60)

struct child {
	pid_t		 pid;
	int		 in, out;	/* our ends; -1: closed */
	size_t		 done;		/* bytes of its input written so far */
	long long	 timeout;	/* CLOCK_MONOTONIC ms */
	bool		 term, killed;
};

static void
add(const char ***argv, size_t *n, const char *arg)
{
	if (*n % 16 == 0)
		*argv = must(talloc_realloc(NULL, *argv, const char *,
		    (unsigned)*n + 17));
	(*argv)[(*n)++] = arg;
	(*argv)[*n] = NULL;
}

/* The arguments, with "$@" put in; talloc. */
static const char **
arguments(struct engine *e, const struct program *p)
{
	const struct words *w = &p->words;
	const char **argv = NULL, *word;
	size_t n = 0, i;

	/* The first place is for a shell that runs a script without `#!`. */
	add(&argv, &n, "/bin/sh");
	if (p->shell) {
		add(&argv, &n, vars_text(e->vars, "SHELL"));
		add(&argv, &n, e->programs.shellflags);
		add(&argv, &n, w->buf);
		return argv;
	}
	for (word = words_next(w, NULL); word != NULL;
	    word = words_next(w, word)) {
		if (w->args == WORDS_NO_ARGS || e->special.narg == 0 ||
		    (size_t)(word - w->buf) + strlen(word) != w->args) {
			add(&argv, &n, word);
			continue;
		}
		for (i = 0; i < e->special.narg; i++)
			add(&argv, &n, e->special.arg[i]);
	}
	return argv;
}

static void
log_start(struct engine *e, const char *const *argv, bool shell)
{
	char *line;
	size_t i;

	if (e->log.verbose == 0)
		return;
	line = must(talloc_strdup(e->ctx, shell ? argv[2] : argv[0]));
	for (i = 1; !shell && argv[i] != NULL; i++)
		line = must(talloc_asprintf_append_buffer(line, ",%s",
		    argv[i]));
	rclog_verbose(&e->log, "Executing", line);
	talloc_free(line);
}

/* The file of a program by PATH; NULL: none.  Borrowed. */
static const char *
look_up(struct engine *e, const char *name)
{
	const char *path = vars_get(e->vars, "PATH"), *end;
	struct stat sb;
	char *full;

	if (strchr(name, '/') != NULL)
		return name;
	if (path == NULL)
		path = "/bin:/usr/bin";
	for (;; path = end + 1) {
		end = path + strcspn(path, ":");
		full = must(talloc_asprintf(e->ctx, "%.*s%s%s",
		    (int)(end - path), path, end == path ? "" : "/", name));
		if (stat(full, &sb) == 0 && S_ISREG(sb.st_mode) &&
		    access(full, X_OK) == 0)
			return full;
		talloc_free(full);
		if (*end == '\0')
			return NULL;
	}
}

static int
set_up(posix_spawn_file_actions_t *fa, int in, int out, int log)
{
	if (posix_spawn_file_actions_adddup2(fa, in, STDIN_FILENO) != 0)
		return -1;
	if (out == -1 && posix_spawn_file_actions_addopen(fa, STDOUT_FILENO,
	    "/dev/null", O_WRONLY, 0) != 0)
		return -1;
	if (out != -1 &&
	    posix_spawn_file_actions_adddup2(fa, out, STDOUT_FILENO) != 0)
		return -1;
	return posix_spawn_file_actions_adddup2(fa, log, STDERR_FILENO);
}

/*
 * Start argv[1].  If that cannot be executed, argv[0], a shell, runs it: the
 * file that was found, which may be a script without `#!`, or else the name.
 */
static pid_t
spawn(struct engine *e, const char **argv, int in, int out)
{
	char *const *args = (char *const *)(uintptr_t)(argv + 1);
	char *const *with_sh = (char *const *)(uintptr_t)argv;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	const char *path = look_up(e, argv[1]);
	sigset_t sigs;
	pid_t pid = -1;
	int rc = -1;

	(void)sigemptyset(&sigs);
	if (posix_spawn_file_actions_init(&fa) != 0)
		return -1;
	if (posix_spawnattr_init(&attr) != 0)
		goto out;
	(void)posix_spawnattr_setsigmask(&attr, &sigs);
	(void)sigaddset(&sigs, SIGPIPE);
	(void)sigaddset(&sigs, SIGXFSZ);
	(void)posix_spawnattr_setsigdefault(&attr, &sigs);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF |
	    POSIX_SPAWN_SETSIGMASK);
	if (set_up(&fa, in, out, e->log.fd) == 0) {
		if (path != NULL)
			rc = posix_spawn(&pid, path, &fa, &attr, args,
			    vars_environ(e->vars));
		if (rc == ENOEXEC)
			argv[1] = path;
		if (rc != 0)
			rc = posix_spawn(&pid, "/bin/sh", &fa, &attr, with_sh,
			    vars_environ(e->vars));
	}
	(void)posix_spawnattr_destroy(&attr);
out:
	(void)posix_spawn_file_actions_destroy(&fa);
	return rc == 0 ? pid : -1;
}

/* When TIMEOUT is over, or the time of the run; CLOCK_MONOTONIC ms. */
static long long
timeout_at(const struct engine *e)
{
	long long end = engine_ends_at(e), seconds = e->programs.timeout;
	long long timeout = clock_ms() + seconds * 1000;

	return seconds > 0 && timeout < end ? timeout : end;
}

static void
timed_out(struct engine *e, struct child *c, const char *name)
{
	long long now = clock_ms();

	if (now < c->timeout)
		return;
	if (!c->term) {
		rclog_say_of(&e->log, "Timeout, terminating", name);
		(void)kill(c->pid, SIGTERM);
		c->term = true;
		c->timeout = now + GRACE;
	} else {
		(void)kill(c->pid, SIGKILL);
		c->killed = true;
		c->timeout = NEVER;
	}
}

static int
left_ms(const struct child *c)
{
	long long left = c->timeout - clock_ms();

	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void
shut(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

/* Write more of its input.  false: it does not read any more. */
static bool
feed(struct child *c, const struct part *in, size_t *done, bool newline)
{
	static const char lf = '\n';
	size_t all = in->len + newline;
	ssize_t n;

	while (*done < all) {
		n = *done < in->len ? write(c->in, in->data + *done,
		    in->len - *done) : write(c->in, &lf, 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN;
		*done += (size_t)n;
	}
	shut(&c->in);
	return true;
}

/* Read some of its output. */
static void
listen_to(struct child *c, struct bytes *out)
{
	ssize_t n;

	bytes_need(out, CHUNK);
	n = read(c->out, out->p + out->len, CHUNK);
	if (n > 0)
		out->len += (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		shut(&c->out);
}

/* Is an empty line to follow?  Not after another one, nor after raw input. */
static bool
wants_newline(const struct part *in)
{
	return !in->raw && !(in->len >= 2 && in->data[in->len - 1] == '\n' &&
	    in->data[in->len - 2] == '\n');
}

static void
converse(struct engine *e, struct child *c, const char *name,
    const struct part *in, struct bytes *out, struct child_end *end)
{
	bool newline = wants_newline(in), ok = true;
	struct pollfd pfd[2];
	size_t done = c->done;

	while ((c->in != -1 || c->out != -1) && !e->end.stop && !c->killed) {
		pfd[0] = (struct pollfd){ c->in, POLLOUT, 0 };
		pfd[1] = (struct pollfd){ c->out, POLLIN, 0 };
		if (poll(pfd, 2, left_ms(c)) == -1 && errno == EINTR) {
			engine_check_signals(e);
			continue;
		}
		if (pfd[0].revents != 0 && !feed(c, in, &done, newline)) {
			ok = false;
			shut(&c->in);
		}
		if (pfd[1].revents != 0)
			listen_to(c, out);
		timed_out(e, c, name);
	}
	ok = ok && done == in->len + newline;
	shut(&c->in);
	shut(&c->out);
	end->written = ok;
	end->bytes = done;
	end->timed_out = c->term;
}

/* Its exit status, or minus the signal that ended it. */
static int
wait_for(struct engine *e, struct child *c, const char *name)
{
	struct pollfd pfd = { .events = POLLIN };
	int status = 0;
	pid_t pid;

	pfd.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	for (;;) {
		pid = waitpid(c->pid, &status, WNOHANG);
		if (pid == c->pid || (pid == -1 && errno != EINTR))
			break;
		engine_check_signals(e);
		if (e->end.stop)
			break;
		timed_out(e, c, name);
		(void)poll(&pfd, 1, pfd.fd == -1 ? 20 : left_ms(c));
	}
	if (pfd.fd != -1)
		(void)close(pfd.fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool
make_pipe(int fd[2], int ours)
{
	if (pipe2(fd, O_CLOEXEC) == -1)
		return false;
	(void)fcntl(fd[ours], F_SETFL, O_NONBLOCK);
	return true;
}

/* Start the program, with pipes to it and, if its output counts, from it.
 * c->pid is -1 if that failed. */
static void
start(struct engine *e, struct child *c, const struct program *p,
    const struct part *in, bool output, bool out_to_log)
{
	int give[2] = { -1, -1 }, take[2] = { -1, -1 };
	const char **argv = arguments(e, p);

	log_start(e, argv + 1, p->shell);
	rclog_flush(&e->log);
	c->timeout = timeout_at(e);
	if (make_pipe(give, 1) && (!output || make_pipe(take, 0))) {
		/* What fits into the pipe is written before the program
		 * begins: so there is no race with a program that does not
		 * read a short message. */
		c->in = give[1];
		(void)feed(c, in, &c->done, wants_newline(in));
		give[1] = c->in;
		c->pid = spawn(e, argv, give[0], output ? take[1] :
		    out_to_log ? e->log.fd : -1);
	}
	shut(&give[0]);
	shut(&take[1]);
	c->in = give[1];
	c->out = take[0];
	talloc_free(argv);
	if (c->pid == -1) {
		rclog_say_of(&e->log, "Failed forking", p->words.buf);
		shut(&c->in);
		shut(&c->out);
	}
}

void
child_run(struct engine *e, const struct program *p, const struct part *in,
    struct bytes *out, bool out_to_log, bool wait, struct child_end *end)
{
	struct child c = { .pid = -1, .in = -1, .out = -1 };
	const char *name = p->words.buf;

	*end = (struct child_end){ .code = EX_OSERR };
	start(e, &c, p, in, out != NULL, out_to_log);
	if (c.pid == -1)
		return;
	/* The deadline is for our own work; a program has TIMEOUT. */
	(void)alarm((unsigned)engine_seconds_left(e) + 60);
	end->started = true;
	e->process.child = c.pid;
	converse(e, &c, name, in, out, end);
	if ((wait || end->timed_out) && !e->end.stop) {
		end->code = wait_for(e, &c, name);
		end->waited = true;
		/* As procmail's own process between reports it. */
		if (c.term && out != NULL)
			end->code = EX_UNAVAILABLE;
	}
	end->timed_out = c.term;
	e->process.child = 0;
	(void)alarm((unsigned)e->su->deadline);
}
