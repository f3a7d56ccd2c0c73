/* SPDX-License-Identifier: ISC */
/*
 * program.c - programs: started, fed, listened to, waited for
 *
 * One child, without a copy of this process between: its input and output go
 * through poll(2).  TIMEOUT ends the program, and what it leaves behind cannot
 * hold us up for ever.
 */
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
	size_t		 done;		/* of its input, in the pipe already */
	long long	 timeout;	/* CLOCK_MONOTONIC ms */
	bool		 term, killed;
};

static bool
has_any(const char *text, const char *of)
{
	return strpbrk(text, of) != NULL;
}

/* By itself, or through the shell where the line has anything for it to do. */
void
program_parse(struct engine *e, const char *line, struct program *p)
{
	p->shell = has_any(line, e->set.shellmetas);
	words_begin(&p->words, e->ctx, e->linebuf);
	if (!p->shell) {
		p->shell = !expand(e, &p->words, line, strlen(line),
		    WORDS_SPLIT) || strcmp(p->words.buf, "test") == 0;
		if (!p->shell)
			return;
		words_begin(&p->words, e->ctx, e->linebuf);
	}
	words_put(&p->words, line, strlen(line) + 1);
}

const char *
program_name(struct engine *e, const struct program *p)
{
	return p->shell ? p->words.buf :
	    words_join(e->ctx, &p->words, words_next(&p->words, NULL));
}

static void
add(const char ***argv, size_t *n, const char *arg)
{
	if (*n % 16 == 0)
		*argv = must(talloc_realloc(NULL, *argv, const char *,
		    (unsigned)*n + 17));
	(*argv)[(*n)++] = arg;
	(*argv)[*n] = NULL;
}

/* The arguments, "$@" put in; talloc. */
static const char **
arguments(struct engine *e, const struct program *p)
{
	const struct words *w = &p->words;
	const char **argv = NULL, *word;
	size_t n = 0, i;

	/* One place before them for a shell that runs what cannot be executed. */
	add(&argv, &n, "/bin/sh");
	if (p->shell) {
		add(&argv, &n, vars_text(e->vars, "SHELL"));
		add(&argv, &n, e->set.shellflags);
		add(&argv, &n, w->buf);
		return argv;
	}
	for (word = words_next(w, NULL); word != NULL;
	    word = words_next(w, word)) {
		if (w->args == WORDS_NO_ARGS || e->nargs == 0 ||
		    (size_t)(word - w->buf) + strlen(word) != w->args) {
			add(&argv, &n, word);
			continue;
		}
		for (i = 0; i < e->nargs; i++)
			add(&argv, &n, e->args[i]);
	}
	return argv;
}

static void
tell_start(struct engine *e, const char *const *argv, bool shell)
{
	char *line;
	size_t i;

	if (e->set.verbose == 0)
		return;
	line = must(talloc_strdup(e->ctx, shell ? argv[2] : argv[0]));
	for (i = 1; !shell && argv[i] != NULL; i++)
		line = must(talloc_asprintf_append_buffer(line, ",%s",
		    argv[i]));
	chat(e, "Executing", line);
	talloc_free(line);
}

/* Where it is, by PATH; NULL: nowhere.  Borrowed. */
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

/* With argv[0] /bin/sh, which is used where the program cannot be executed: on the file
 * that was found, a script without `#!` perhaps, or else on the name. */
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
	if (set_up(&fa, in, out, e->logfd) == 0) {
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

/* Seconds of TIMEOUT, within what a run may take in all. */
static long long
timeout_at(const struct engine *e)
{
	long long now = clock_ms(), end = e->began + RUN_MOST * 1000LL;

	if (e->set.timeout > 0 && now + e->set.timeout * 1000LL < end)
		end = now + e->set.timeout * 1000LL;
	return end;
}

/* Seconds left of what a run may take. */
static long long
left_in_all(const struct engine *e)
{
	long long left = RUN_MOST - (clock_ms() - e->began) / 1000;

	return left < 1 ? 1 : left;
}

static void
timed_out(struct engine *e, struct child *c, const char *name)
{
	long long now = clock_ms();

	if (now < c->timeout)
		return;
	if (!c->term) {
		rclog(e, "");
		diag_of(e, "Timeout, terminating", name);
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

/* Give it more of its input.  false: it does not want any. */
static bool
feed(struct child *c, const struct piece *in, size_t *done, bool newline)
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

/* Take some of its output. */
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

/* Nothing after an empty line, and nothing after what is raw. */
static bool
wants_newline(const struct piece *in)
{
	return !in->raw && !(in->len >= 2 && in->data[in->len - 1] == '\n' &&
	    in->data[in->len - 2] == '\n');
}

static void
converse(struct engine *e, struct child *c, const char *name,
    const struct piece *in, struct bytes *out, struct outcome_of *o)
{
	bool newline = wants_newline(in), ok = true;
	struct pollfd pfd[2];
	size_t done = c->done;

	while ((c->in != -1 || c->out != -1) && !e->stop && !c->killed) {
		pfd[0] = (struct pollfd){ c->in, POLLOUT, 0 };
		pfd[1] = (struct pollfd){ c->out, POLLIN, 0 };
		if (poll(pfd, 2, left_ms(c)) == -1 && errno == EINTR) {
			check_signals(e);
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
	o->written = ok;
	o->bytes = done;
	o->timed_out = c->term;
}

/* Its exit status, or minus the signal that it died of. */
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
		check_signals(e);
		if (e->stop)
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

void
program_run(struct engine *e, const struct program *p, const struct piece *in,
    struct bytes *out, bool out_to_log, bool wait, struct outcome_of *o)
{
	int give[2] = { -1, -1 }, take[2] = { -1, -1 };
	const char **argv = arguments(e, p), *name = p->words.buf;
	struct child c = { .in = -1, .out = -1 };

	*o = (struct outcome_of){ .code = EX_OSERR };
	tell_start(e, argv + 1, p->shell);
	rclog_flush(e);
	c.timeout = timeout_at(e);
	if (!make_pipe(give, 1) || (out != NULL && !make_pipe(take, 0)))
		c.pid = -1;
	else {
		/* What fits the pipe is in it before the program begins: so who
		 * does not read a short message can say so by no race. */
		c.in = give[1];
		(void)feed(&c, in, &c.done, wants_newline(in));
		give[1] = c.in;
		c.pid = spawn(e, argv, give[0], out != NULL ? take[1] :
		    out_to_log ? e->logfd : -1);
	}
	shut(&give[0]);
	shut(&take[1]);
	c.in = give[1];
	c.out = take[0];
	talloc_free(argv);
	if (c.pid == -1) {
		diag_of(e, "Failed forking", name);
		shut(&c.in);
		shut(&c.out);
		return;
	}
	/* The deadline is for our own work; a program has TIMEOUT. */
	(void)alarm((unsigned)left_in_all(e) + 60);
	o->started = true;
	e->child = c.pid;
	converse(e, &c, name, in, out, o);
	if ((wait || o->timed_out) && !e->stop) {
		o->code = wait_for(e, &c, name);
		o->waited = true;
		/* What procmail's own process between says then. */
		if (c.term && out != NULL)
			o->code = EX_UNAVAILABLE;
	}
	o->timed_out = c.term;
	e->child = 0;
	(void)alarm((unsigned)e->su->deadline);
}

static void
failure(struct engine *e, const char *name, int code, unsigned wait)
{
	char text[64];

	if ((wait & WAIT_QUIET) != 0 && e->set.verbose == 0)
		return;
	(void)snprintf(text, sizeof(text), (wait & WAIT_QUIET) != 0 ?
	    "Non-zero exitcode (%d) from" : "Program failure (%d) of", code);
	diag_of(e, text, name);
}

/* A program that takes the message, or is a condition. */
bool
program_deliver(struct engine *e, const struct program *p,
    const struct piece *in, unsigned wait, bool ignore, bool deliver)
{
	const char *name = p->words.buf;
	struct outcome_of o;
	bool ok;

	program_run(e, p, in, NULL, false, wait != NO_WAIT, &o);
	if (!o.started)
		e->code = EX_OSERR;
	e->tell = -1;
	e->dumped = (long)(o.written ? o.bytes : in->len);
	if (!o.started || e->stop)
		return false;
	ok = o.written || ignore;
	if (!ok)
		diag_of(e, "Error while writing to", name);
	if (o.waited)
		e->code = o.code;
	if (o.waited && wait != NO_WAIT && o.code != 0) {
		failure(e, name, o.code, wait);
		ok = false;
	}
	if (deliver)
		set_folder(e, program_name(e, p));
	return ok;
}

/*
 * A program whose output counts.  false: it failed, and what went in is to stay
 * as it was.
 */
bool
program_filter(struct engine *e, const struct program *p,
    const struct piece *in, unsigned wait, bool ignore, struct bytes *out)
{
	const char *name = p->words.buf;
	struct outcome_of o;
	bool ok = true, quiet = (wait & WAIT_QUIET) != 0;

	program_run(e, p, in, out, false, wait != NO_WAIT, &o);
	if (!o.started || e->stop)
		return false;
	if (!o.written && !ignore && !o.timed_out) {
		diag_of(e, "Error while writing to", name);
		quiet = false;
		ok = false;
	}
	if (o.waited && wait != NO_WAIT) {
		e->code = o.code & 0xff;
		e->filter_failed = o.code != 0;
	}
	if (ok && o.waited && wait != NO_WAIT && o.code != 0) {
		failure(e, name, o.code, wait);
		ok = false;
	}
	if (o.timed_out)
		ok = false;
	if (!ok && (!quiet || e->set.verbose != 0))
		diag(e, "Rescue of unfiltered data succeeded");
	return ok;
}

/* Between backquotes: the whole message goes in. */
void
program_output(struct engine *e, const char *command, size_t most,
    struct words *to)
{
	struct bytes out = { NULL, 0, 0 };
	struct piece in;
	struct outcome_of o;
	struct program p;

	program_parse(e, command, &p);
	mail_unfold(e->mail, false);
	in = (struct piece){ e->mail->b.p, e->mail->b.len, false };
	program_run(e, &p, &in, &out, false, true, &o);
	if (o.waited)
		e->code = o.code & 0xff;
	if (out.len > most) {
		out.len = most;
		diag_of(e, "Excessive output quenched from", p.words.buf);
		vars_set(e->vars, "PROCMAIL_OVERFLOW", "yes");
	} else
		while (out.len > 0 && out.p[out.len - 1] == '\n')
			out.len--;
	if (out.len > 0)
		words_put(to, out.p, strnlen(out.p, out.len));
	bytes_free(&out);
	talloc_free(p.words.buf);
}
