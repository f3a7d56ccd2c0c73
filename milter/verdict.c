/* SPDX-License-Identifier: ISC */
/*
 * verdict.c - may mail for this address be accepted now?
 */
#include "milter/verdict.h"

#include <pthread.h>
#include <stdio.h>

#include "maps/base/clock.h"
#include "milter/recent.h"
#include "milter/pool.h"

struct setup {
	struct conf	*conf;
	struct windows	*windows;
	struct pool	*pool;
	struct recent	*no_window;
	struct recent	*silent;	/* mapd did not answer for these */
	int		 users;		/* references; under `lock` */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct setup *current;

struct setup *
setup_new(struct conf *conf, struct windows *windows)
{
	struct setup *s = must(talloc_zero(NULL, struct setup));

	s->conf = conf;
	s->windows = windows;
	s->pool = pool_new(s, conf);
	s->no_window = recent_new(s);
	s->silent = recent_new(s);
	s->users = 1;			/* setup_use() takes this one over */
	return s;
}

const struct conf *
setup_conf(const struct setup *s)
{
	return s->conf;
}

void
setup_give(struct setup *s)
{
	struct conf *conf;
	bool last;

	(void)pthread_mutex_lock(&lock);
	last = --s->users == 0;
	(void)pthread_mutex_unlock(&lock);
	if (!last)
		return;
	conf = s->conf;			/* the pool's maps borrow from it */
	talloc_free(s);
	talloc_free(conf);
}

struct setup *
setup_take(void)
{
	struct setup *s;

	(void)pthread_mutex_lock(&lock);
	s = current;
	s->users++;
	(void)pthread_mutex_unlock(&lock);
	return s;
}

void
setup_use(struct setup *s)
{
	struct setup *former;

	(void)pthread_mutex_lock(&lock);
	former = current;
	current = s;
	(void)pthread_mutex_unlock(&lock);
	if (former != NULL)
		setup_give(former);
}

/* How long `no window` may be kept: RECENT_MS, or until a window begins. */
static long long
believed(long long ms, time_t now, time_t begin)
{
	long long ahead = begin == 0 ? RECENT_MS : (begin - now - 1) * 1000LL;

	return ms + (ahead < RECENT_MS ? ahead : RECENT_MS);
}

static void
ask(struct setup *s, const char *address, size_t len, bool local,
    long long ms, struct decision *d)
{
	TALLOC_CTX *ctx = must(talloc_pool(NULL, 8192));
	struct record *rec = NULL;
	time_t now = time(NULL), begin;
	enum status st;

	st = pool_recipient(s->pool, ctx, address, len, local, now, &rec,
	    &d->err);
	if (st == ST_OK || st == ST_NONE) {
		begin = reply_of(st == ST_OK ? rec : NULL, now,
		    s->conf->window_text, &d->reply);
		d->verdict = d->reply.defer ? VERDICT_TEMPFAIL : VERDICT_ACCEPT;
		if (d->reply.defer)
			(void)snprintf(d->user, sizeof(d->user), "%s",
			    rec->user);
		else
			recent_put(s->no_window, address, len, local,
			    believed(ms, now, begin));
	} else {
		d->verdict = VERDICT_UNASKED;
		/* Another question for this address need not wait as long. */
		if (clock_ms() - ms >= POOL_PATIENCE)
			recent_put(s->silent, address, len, local,
			    clock_ms() + POOL_AWAY);
	}
	talloc_free(ctx);
}

void
decide(struct setup *s, const char *address, size_t len, bool local,
    struct decision *d)
{
	long long ms = clock_ms();

	if (s->windows != NULL &&
	    windows_none(s->windows, s->conf, address, len, local))
		d->verdict = VERDICT_ACCEPT;
	else if (recent_has(s->no_window, address, len, local, ms))
		d->verdict = VERDICT_ACCEPT;
	else if (recent_has(s->silent, address, len, local, ms)) {
		d->verdict = VERDICT_UNASKED;
		(void)err_set(&d->err, ST_AGAIN, "map: mailferry-mapd did not "
		    "answer that question a moment ago");
	} else
		ask(s, address, len, local, ms, d);
}
