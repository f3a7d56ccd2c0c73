/* SPDX-License-Identifier: ISC */
/*
 * workers.c - processes that answer instead of the loop, for a map that may
 * block
 */
#include "maps/mapd/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "maps/mapd/cache.h"
#include "maps/mapd/metrics.h"
#include "maps/mapd/news.h"
#include "maps/mapd/worker.h"

#define QUEUE_MAX	1000		/* requests that wait for a worker */
#define LOOK_MS		100		/* how exact a deadline is */
#define PROBE_MS	1000		/* between two probes */
#define SNDBUF		(512 * 1024)	/* bytes: every request fits */
#define SHORT_LIFE	1000		/* ms; a worker that lived no longer is
					   replaced by workers_second() */
#define READ_SIZE	65536		/* bytes of reports at a time */

struct job {
	TAILQ_ENTRY(job)	 entry;
	workers_answered_fn	*fn;
	void			*arg;	/* NULL: nobody waits for the answer */
	long long		 end;	/* clock_ms(): the worker is killed */
	long long		 busy;	/* clock_ms(): its client gets `busy`,
					   and the worker goes on; 0: never */
	bool			 probe;	/* is the map answered again? */
	struct asked		 asked;
	char			 req[];
};

struct worker {
	struct workers		*all;
	struct speaker		 speaker;
	pid_t			 pid;	/* 0: there is none */
	int			 fd;
	struct event		*readable;
	struct job		*job;	/* NULL: idle */
	char			*buf;	/* its reports; the last is a part */
	size_t			 at, len, size;	/* buf[at .. len) */
	long long		 born;	/* clock_ms() */
	bool			 stale;	/* to be replaced when it is idle */
};

struct workers {
	struct event_base	*base;
	struct map		*map;
	TAILQ_HEAD(, job)	 queue;
	int			 queued;
	struct event		*look;
	bool			 silent; /* no worker gets answers now */
	long long		 probed; /* clock_ms() of the last try */
	struct worker		*w;
	int			 n;
	pid_t			*dead;	/* not waited for yet */
	int			 ndead;
	struct map		*cache;	/* NULL: no worker follows the map */
	struct news		*news;
};

static void on_report(evutil_socket_t fd, short what, void *arg);

static enum status
hire(struct worker *w, struct err *err)
{
	int fd[2], size = SNDBUF;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		return err_sys(err, "socketpair");
	(void)setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pid = fork();
	if (pid == 0)
		worker_run(w->all->map, fd[1], w->speaker.role);
	(void)close(fd[1]);
	if (pid == -1) {
		(void)close(fd[0]);
		return err_sys(err, "fork");
	}
	(void)evutil_make_socket_nonblocking(fd[0]);
	w->pid = pid;
	w->fd = fd[0];
	w->at = w->len = 0;
	w->speaker = (struct speaker){ .role = w->speaker.role };
	w->born = clock_ms();
	w->stale = false;
	w->readable = must(event_new(w->all->base, w->fd, EV_READ | EV_PERSIST,
	    on_report, w));
	(void)event_add(w->readable, NULL);
	return ST_OK;
}

static void
reap(struct workers *all)
{
	int i;

	for (i = 0; i < all->ndead; i++)
		if (waitpid(all->dead[i], NULL, WNOHANG) != 0)
			all->dead[i--] = all->dead[--all->ndead];
}

static void
dismiss(struct worker *w)
{
	struct workers *all = w->all;

	if (w->pid == 0)
		return;
	(void)kill(w->pid, SIGKILL);
	event_free(w->readable);
	(void)close(w->fd);
	all->dead = must(talloc_realloc(all, all->dead, pid_t,
	    (unsigned)all->ndead + 1));
	all->dead[all->ndead++] = w->pid;
	w->pid = 0;
	reap(all);
}

static void
rehire(struct worker *w)
{
	struct err err;

	dismiss(w);
	if (clock_ms() - w->born >= SHORT_LIFE && hire(w, &err) != ST_OK)
		log_why(LOG_ERR, "worker", err.text);
}

static void
end_job(struct job *job, const struct answer *answer)
{
	workers_answered_fn *fn = job->fn;
	void *arg = job->arg;

	free(job);
	if (arg != NULL)
		fn(arg, answer);
}

/* It died, or has to: its request has no answer. */
static void
lose(struct worker *w, const char *why)
{
	struct job *job = w->job;

	log_why(LOG_WARNING, "worker", why);
	metrics_add(M_WORKERS_LOST, 1);
	w->job = NULL;
	rehire(w);
	if (job != NULL)
		end_job(job, NULL);
}

static bool
give(struct worker *w, struct job *job)
{
	struct iovec iov[2] = { { &job->asked, sizeof(job->asked) },
	    { job->req, job->asked.len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	w->job = job;
	w->speaker.asked = true;
	return sendmsg(w->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)(sizeof(job->asked) + job->asked.len);
}

static struct worker *
idle(struct workers *all)
{
	int i;

	for (i = 0; i < all->n; i++)
		if (all->w[i].speaker.role == ANSWERS && all->w[i].pid != 0 &&
		    all->w[i].job == NULL)
			return &all->w[i];
	return NULL;
}

static void
dispatch(struct workers *all)
{
	struct worker *w;
	struct job *job;

	while (!TAILQ_EMPTY(&all->queue) && (w = idle(all)) != NULL) {
		job = TAILQ_FIRST(&all->queue);
		TAILQ_REMOVE(&all->queue, job, entry);
		all->queued--;
		if (job->arg == NULL && !job->probe)
			free(job);
		else if (!give(w, job)) {	/* dead: another one will */
			w->job = NULL;
			TAILQ_INSERT_HEAD(&all->queue, job, entry);
			all->queued++;
			lose(w, "it did not take a request: killed");
		}
	}
}

/*
 * At first no record is news, later also what was changed while no worker
 * followed: a number above the one that the copy has.
 */
static bool
is_news(const struct workers *all, const struct followed *rec)
{
	return rec->change != NULL && mapcache_age(all->cache) >= 0 &&
	    rec->seq > mapcache_seq(all->cache, rec->user);
}

static void
take_followed(struct workers *all, const struct said *said)
{
	if (said->event == FOLLOW_RECORD && is_news(all, &said->rec))
		news_followed(all->news, said->rec.seq, said->rec.change);
	mapcache_take(all->cache, said->event, &said->rec);
	metrics_users(mapcache_users(all->cache));
}

struct map *
workers_cache(struct workers *all, int late)
{
	long long age;

	if (all->cache == NULL || late == 0)
		return NULL;
	if (late > all->map->ops->lease(all->map))
		late = all->map->ops->lease(all->map);
	age = mapcache_age(all->cache);
	return age >= 0 && age <= late * 1000LL ? all->cache : NULL;
}

static void
take_answer(struct worker *w, const struct answer *answer)
{
	struct job *job = w->job;

	w->job = NULL;
	if (answer->st == ST_OK || answer->st == ST_NONE)
		w->all->silent = false;
	if (w->stale)
		rehire(w);		/* its buffer stays */
	end_job(job, answer);
}

/* The next report.  ST_AGAIN: it is not whole; ST_NEVER: it is not valid. */
static enum status
take_report(struct worker *w)
{
	struct workers *all = w->all;
	enum status st;
	struct said said;
	size_t used;

	st = said_parse(&w->speaker, w->buf + w->at, w->len - w->at, &said,
	    &used);
	if (st != ST_OK)
		return st;
	w->at += used;
	switch (said.what) {
	case SAID_ANSWER:
		take_answer(w, &said.answer);
		break;
	case SAID_CHANGE:
		if (!news_made(all->news, said.change, said.change_len,
		    said.imported))
			return ST_NEVER;
		break;
	case SAID_FOLLOWED:
		take_followed(all, &said);
		break;
	}
	return ST_OK;
}

static void
take_reports(struct worker *w)
{
	pid_t pid = w->pid;
	enum status st = ST_OK;

	while (w->pid == pid && st == ST_OK)
		st = take_report(w);
	if (w->pid != pid)
		return;			/* another took its place */
	if (st == ST_NEVER) {
		lose(w, "its report is not valid: killed");
		return;
	}
	memmove(w->buf, w->buf + w->at, w->len - w->at);
	w->len -= w->at;
	w->at = 0;
}

static void
on_report(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	ssize_t n;

	(void)what;
	if (w->size - w->len < READ_SIZE) {
		w->size = w->size * 2 + READ_SIZE;
		w->buf = must(talloc_realloc_size(w->all, w->buf, w->size));
	}
	n = recv(fd, w->buf + w->len, w->size - w->len, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		w->len += (size_t)n;
		take_reports(w);
	} else
		lose(w, w->speaker.role == KEEPS ? "the keeper ended" :
		    w->speaker.role == FOLLOWS ? "the follower ended" :
		    "a worker ended");
	dispatch(w->all);
}

/* Its client waits no longer; the worker goes on. */
static bool
is_impatient(const struct job *job, long long now)
{
	return job != NULL && job->arg != NULL && job->busy != 0 &&
	    job->busy <= now;
}

static struct job *
impatient(struct workers *all, long long now)
{
	struct job *job;
	int i;

	for (i = 0; i < all->n; i++)
		if (is_impatient(all->w[i].job, now))
			return all->w[i].job;
	TAILQ_FOREACH(job, &all->queue, entry)
		if (is_impatient(job, now))
			return job;
	return NULL;
}

static void
answer_impatient(struct workers *all, long long now)
{
	struct job *job;
	void *arg;

	while ((job = impatient(all, now)) != NULL) {
		arg = job->arg;
		job->arg = NULL;
		if (!all->silent)
			all->probed = now;
		all->silent = true;
		job->fn(arg, NULL);	/* the client may ask the next one */
	}
}

/* The deadlines of the requests that workers have, and of those that wait. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = { 0, LOOK_MS * 1000 };
	struct workers *all = arg;
	long long now = clock_ms();
	struct job *job;
	bool busy = false;
	int i;

	(void)fd;
	(void)what;
	answer_impatient(all, now);
	for (i = 0; i < all->n; i++) {
		if (all->w[i].job != NULL && all->w[i].job->end <= now)
			lose(&all->w[i], "no answer in time: killed");
		busy = busy || all->w[i].job != NULL;
	}
	while ((job = TAILQ_FIRST(&all->queue)) != NULL && job->end <= now) {
		TAILQ_REMOVE(&all->queue, job, entry);
		all->queued--;
		end_job(job, NULL);
	}
	dispatch(all);
	if (busy || !TAILQ_EMPTY(&all->queue))
		(void)event_add(all->look, &again);
}

static struct job *
job_new(const struct workers *all, const struct protocol *pr,
    const struct wire_peer *peer, const char *req, size_t len)
{
	struct job *job = must(calloc(1, sizeof(*job) + len + 1));
	long long now = clock_ms();

	job->end = now + all->map->ops->patience(all->map) * 1000LL;
	job->busy = pr->patience == 0 ? 0 : now + pr->patience;
	job->asked = (struct asked){ pr, *peer, len };
	memcpy(job->req, req, len);
	return job;
}

static void
enqueue(struct workers *all, struct job *job)
{
	static const struct timeval soon = { 0, LOOK_MS * 1000 };

	TAILQ_INSERT_TAIL(&all->queue, job, entry);
	all->queued++;
	if (!event_pending(all->look, EV_TIMEOUT, NULL))
		(void)event_add(all->look, &soon);
	dispatch(all);
}

bool
workers_ask(struct workers *all, const struct protocol *pr,
    const struct wire_peer *peer, const char *req, size_t len,
    workers_answered_fn *fn, void *arg)
{
	bool hopeless = pr->patience != 0 && all->silent;
	struct job *job;

	if (all->queued >= QUEUE_MAX ||
	    (hopeless && clock_ms() - all->probed < PROBE_MS))
		return false;
	job = job_new(all, pr, peer, req, len);
	job->fn = fn;
	job->arg = hopeless ? NULL : arg;
	job->probe = hopeless;
	if (hopeless)
		all->probed = clock_ms();
	enqueue(all, job);
	return !hopeless;
}

void
workers_forget(struct workers *all, const void *arg)
{
	struct job *job;
	int i;

	for (i = 0; i < all->n; i++)
		if (all->w[i].job != NULL && all->w[i].job->arg == arg)
			all->w[i].job->arg = NULL;
	TAILQ_FOREACH(job, &all->queue, entry)
		if (job->arg == arg)
			job->arg = NULL;
}

void
workers_second(struct workers *all)
{
	struct err err;
	int i;

	reap(all);
	news_second(all->news);
	if (all->cache != NULL && mapcache_age(all->cache) >= 0)
		metrics_set(M_CACHE_AGE,
		    (uint64_t)mapcache_age(all->cache) / 1000);
	for (i = 0; i < all->n; i++)
		if (all->w[i].pid == 0 && hire(&all->w[i], &err) != ST_OK)
			log_why(LOG_ERR, "worker", err.text);
	dispatch(all);
}

void
workers_renew(struct workers *all)
{
	int i;

	if (all->cache != NULL)
		all->cache->conf = all->map->conf;
	if (all->map->ops->forked != NULL)
		all->map->ops->forked(all->map);
	for (i = 0; i < all->n; i++) {
		if (all->w[i].job != NULL)
			all->w[i].stale = true;
		else
			rehire(&all->w[i]);
	}
}

static int
workers_destroy(struct workers *all)
{
	struct job *job;
	int i;

	for (i = 0; i < all->n; i++) {
		free(all->w[i].job);
		dismiss(&all->w[i]);
	}
	while ((job = TAILQ_FIRST(&all->queue)) != NULL) {
		TAILQ_REMOVE(&all->queue, job, entry);
		free(job);
	}
	for (i = 0; i < all->ndead; i++)
		(void)waitpid(all->dead[i], NULL, 0);
	event_free(all->look);
	return 0;
}

enum status
workers_new(TALLOC_CTX *ctx, struct event_base *base, struct map *map,
    map_change_fn *changed, void *arg, struct workers **out, struct err *err)
{
	struct workers *all = must(talloc_zero(ctx, struct workers));
	enum status st = ST_OK;
	int i;

	all->base = base;
	all->map = map;
	all->news = news_new(all, changed, arg);
	all->n = map->ops->workers(map) + 1 + (map->ops->follow != NULL);
	if (map->ops->follow != NULL)
		all->cache = mapcache_new(all, map->conf);
	all->w = must(talloc_zero_array(all, struct worker, (unsigned)all->n));
	all->look = must(evtimer_new(base, on_look, all));
	TAILQ_INIT(&all->queue);
	talloc_set_destructor(all, workers_destroy);
	for (i = 0; i < all->n && st == ST_OK; i++) {
		all->w[i].all = all;
		all->w[i].speaker.role = i == 0 ? KEEPS : i == 1 &&
		    map->ops->follow != NULL ? FOLLOWS : ANSWERS;
		st = hire(&all->w[i], err);
	}
	if (st != ST_OK)
		talloc_free(all);
	else
		*out = all;
	return st;
}
