/* SPDX-License-Identifier: ISC */
/*
 * engine.c - what ends a run: signals, deferrals, the time that is left
 */
#include "lda/recipe/engine.h"

#include <errno.h>
#include <signal.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "maps/base/clock.h"

#define RUN_MOST	900		/* seconds; Postfix's limit is 1000 */

static volatile sig_atomic_t caught;

static void
on_signal(int sig)
{
	caught = sig;
}

void
engine_catch_signals(void)
{
	static const int sigs[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1,
	    SIGUSR2 };
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	(void)sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		(void)sigaction(sigs[i], &sa, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_IGN);
}

void
engine_check_signals(struct engine *e)
{
	int sig = caught;

	if (sig == 0)
		return;
	caught = 0;
	if (sig == SIGUSR1 || sig == SIGUSR2) {
		e->log.verbose = sig == SIGUSR2;
		return;
	}
	if (e->end.stop)
		return;
	e->end.stop = true;
	e->end.by_signal = sig;
	if (e->process.child > 0)
		(void)kill(e->process.child, SIGTERM);
	rclog_say(&e->log, "Terminating prematurely");
	if (sig == SIGQUIT)
		e->end.lost = LOST_SIGQUIT;
	e->end.status = sig == SIGTERM ? EX_TEMPFAIL : EX_CANTCREAT;
}

void
engine_defer(struct engine *e, const struct err *err)
{
	if (e->end.stop)
		return;
	e->end.stop = true;
	e->result->failed = true;
	e->result->err = *err;
	e->end.status = EX_TEMPFAIL;
	rclog_say(&e->log, err->text);
}

long long
engine_ends_at(const struct engine *e)
{
	return e->process.began + RUN_MOST * 1000LL;
}

long long
engine_seconds_left(const struct engine *e)
{
	long long left = RUN_MOST - (clock_ms() - e->process.began) / 1000;

	return left < 1 ? 1 : left;
}

bool
engine_sleep(struct engine *e, long seconds)
{
	struct timespec ts = { seconds, 0 };
	struct err err;

	rclog_flush(&e->log);
	if (clock_ms() > engine_ends_at(e)) {
		(void)err_set(&err, ST_AGAIN, "the rc file waited too long for "
		    "a lockfile");
		engine_defer(e, &err);
		return false;
	}
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR) {
		engine_check_signals(e);
		if (e->end.stop)
			return false;
	}
	return !e->end.stop;
}

void
engine_drop_root(struct engine *e)
{
	struct err err;

	if (!e->process.privileged)
		return;
	e->log.verbose = 0;
	if (account_become(e->su->account, &err) != ST_OK) {
		engine_defer(e, &err);
		return;
	}
	e->process.privileged = false;
}

void
engine_background(struct engine *e)
{
	(void)alarm((unsigned)e->su->deadline);
	e->result->background = true;
}

const char *
engine_dir(struct engine *e)
{
	char cwd[4096];

	return must(talloc_strdup(e->ctx, getcwd(cwd, sizeof(cwd)) == NULL ?
	    "/" : cwd));
}
