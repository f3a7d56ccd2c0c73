/* SPDX-License-Identifier: ISC */
/*
 * worker.c - one of the processes that answer instead of the loop
 */
#include "maps/mapd/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "maps/base/file.h"
#include "maps/base/log.h"
#include "maps/change.h"

#define KEEPER_ALARM	60		/* seconds for one piece of its work */
#define KEEPER_REST	10		/* seconds after a failure */
#define WORKER_FD	3

static int parent = WORKER_FD;

/* A report that is not valid is not sent: the loop would kill us for it. */
static void
say(const struct said *said)
{
	size_t len;
	char *text = said_format(NULL, said, &len);

	if (text != NULL && file_write(parent, text, len) == -1)
		_exit(1);
	talloc_free(text);
}

/* The loop logs it, and passes it on to watchers. */
static enum status
say_change(const struct change *ch, void *arg, struct err *err)
{
	struct said said = { .what = SAID_CHANGE, .imported = ch->imported };
	char *text = change_format(NULL, ch, 0, &said.change_len);

	(void)arg;
	(void)err;
	said.change = text;
	say(&said);
	talloc_free(text);
	return ST_OK;
}

static enum status
say_followed(enum follow_event ev, const struct followed *rec, void *arg)
{
	struct said said = { .what = SAID_FOLLOWED, .event = ev };

	(void)arg;
	if (rec != NULL)
		said.rec = *rec;
	say(&said);
	return ST_OK;
}

static bool
hear(void *buf, size_t len)
{
	char *p = buf;
	ssize_t n;

	while (len > 0) {
		n = read(parent, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void
answer_next(struct map *map)
{
	TALLOC_CTX *ctx = must(talloc_pool(NULL, 8192));
	struct said said = { .what = SAID_ANSWER };
	struct asked q;
	char *req;

	if (!hear(&q, sizeof(q)))
		_exit(0);		/* the parent ended, or replaces us */
	req = must(talloc_size(ctx, q.len + 1));
	if (!hear(req, q.len))
		_exit(0);
	q.pr->answer(ctx, map, &q.peer, req, q.len, &said.answer);
	say(&said);
	talloc_free(ctx);
}

/* Some of the waiting work; the alarm ends a call that hangs.  Returns the
 * seconds until the next call. */
static int
keep(struct map *map)
{
	static time_t logged;
	enum status st;
	struct err err;

	(void)alarm(KEEPER_ALARM);
	st = map->ops->tick == NULL ? ST_NONE : map->ops->tick(map, &err);
	(void)alarm(0);
	if (st == ST_OK || st == ST_NONE) {
		logged = 0;
		return st == ST_OK ? 0 : 1;
	}
	if (logged == 0 || time(NULL) - logged >= 60) {
		logged = time(NULL);
		log_why(LOG_ERR, "unfinished", err.text);
	}
	return KEEPER_REST;
}

/* Logged once a minute: a server without the overlay never reports a change. */
static void NORETURN
follow(struct map *map)
{
	time_t logged = 0;
	struct err err;

	for (;;) {
		(void)!map->ops->follow(map, say_followed, NULL, &err);
		if (map->ops->lease(map) > 0 && time(NULL) - logged >= 60) {
			logged = time(NULL);
			log_why(LOG_WARNING, "unfollowed", err.text);
		}
		(void)sleep(map->ops->lease(map) > 0 ? 1 : 3600);
	}
}

void
worker_run(struct map *map, int fd, enum role role)
{
	struct pollfd pfd = { .fd = parent, .events = POLLIN };
	int rest = 1, rc;

	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_IGN);	/* of a terminal: the parent ends us */
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, parent) == -1)
		_exit(1);
	/* Clients, listeners and the loop's descriptors are not ours. */
	(void)close_range((unsigned)parent + 1, ~0u, 0);
	(void)fcntl(parent, F_SETFL, 0);
	log_forked();
	map->changed = say_change;
	map->rests = false;
	if (map->ops->forked != NULL)
		map->ops->forked(map);
	if (role == FOLLOWS)
		follow(map);
	for (;;) {
		rc = poll(&pfd, 1, role == KEEPS ? rest * 1000 : -1);
		if (rc == 1)
			answer_next(map);
		else if (rc == 0)
			rest = keep(map);
	}
}
