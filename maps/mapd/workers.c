/* SPDX-License-Identifier: ISC */
/*
 * workers.c - processes that answer in the loop's place, where answering may block
 */
#include "maps/mapd/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "maps/change.h"
#include "maps/mapd/cache.h"
#include "maps/mapd/metrics.h"
#include "maps/mapd/worker.h"

#define QUEUE_MAX	1000		/* requests that wait for a worker */
#define LOOK_MS		100		/* how exact a deadline is */
#define PROBE_MS	1000		/* between questions that nobody waits for */
#define SNDBUF		(512 * 1024)	/* bytes: a request fits, whatever it is */
#define TOLD		4096		/* numbers of changes remembered */
#define SHORT_LIFE	1000		/* ms: who died so soon is replaced later */

struct job {
	TAILQ_ENTRY(job)	 entry;
	struct client		*cl;	/* NULL: gone, or told already */
	long long		 end;	/* clock_ms() */
	long long		 told;	/* when its client is told `busy`; 0: at the end */
	bool			 probe;	/* asked though nobody waits for it */
	struct asked		 asked;
	char			 req[];
};

struct worker {
	struct workers		*all;
	enum role		 role;
	pid_t			 pid;	/* 0: there is none */
	int			 fd;
	struct event		*readable;
	struct job		*job;	/* NULL: idle */
	char			*buf;	/* what it said, not yet whole */
	size_t			 at, len, size;	/* buf[at .. len) */
	long long		 born;
	bool			 stale;	/* to be replaced when it is idle */
};

struct workers {
	struct event_base	*base;
	struct map		*map;
	map_change_fn		*changed;
	void			*changed_arg;
	TAILQ_HEAD(, job)	 queue;
	int			 queued;
	struct event		*look;
	bool			 silent;	/* nothing is answered at the moment */
	long long		 probed;	/* when that was last tried */
	struct worker		*w;
	int			 n;
	pid_t			*dead;	/* not waited for yet */
	int			 ndead;
	struct map		*cache;	/* NULL: nobody follows the map */
	/* Changes that were told, by number; and those that other hosts made, as
	 * far as we know, which are told a second later. */
	uint64_t		 told[TOLD];
	struct foreign		*foreign;
};

struct foreign {
	struct foreign		*next;	/* talloc child of the workers */
	uint64_t		 seq;
	long long		 came;
	char			*text;
};

static void worker_said(evutil_socket_t fd, short what, void *arg);

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
		worker_run(w->all->map, fd[1], w->role);
	(void)close(fd[1]);
	if (pid == -1) {
		(void)close(fd[0]);
		return err_sys(err, "fork");
	}
	(void)evutil_make_socket_nonblocking(fd[0]);
	w->pid = pid;
	w->fd = fd[0];
	w->at = w->len = 0;
	w->born = clock_ms();
	w->stale = false;
	w->readable = must(event_new(w->all->base, w->fd, EV_READ | EV_PERSIST,
	    worker_said, w));
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
end_job(struct job *job, struct answer *out)
{
	struct client *cl = job->cl;

	free(job);
	if (cl != NULL)
		client_answered(cl, out);
}

/* It died, or has to: what was asked has no answer. */
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
	return sendmsg(w->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)(sizeof(job->asked) + job->asked.len);
}

static struct worker *
idle(struct workers *all)
{
	int i;

	for (i = 0; i < all->n; i++)
		if (all->w[i].role == ANSWERS && all->w[i].pid != 0 &&
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
		if (job->cl == NULL && !job->probe)
			free(job);
		else if (!give(w, job)) {	/* dead: another one will */
			w->job = NULL;
			TAILQ_INSERT_HEAD(&all->queue, job, entry);
			all->queued++;
			lose(w, "it does not take what it is asked");
		}
	}
}

/* Once, whoever says it. */
static void
tell_change(struct workers *all, const char *text, size_t len, bool quiet)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct change ch;
	struct err err;

	if (change_parse(ctx, text, len, &ch, NULL, &err) == ST_OK &&
	    all->told[ch.seq % TOLD] != ch.seq) {
		all->told[ch.seq % TOLD] = ch.seq;
		ch.imported = quiet;
		(void)!all->changed(&ch, all->changed_arg, &err);
	}
	talloc_free(ctx);
}

/* Another host's, if it is not one of ours of which its worker has yet to say. */
static void
note_foreign(struct workers *all, const struct followed *rec)
{
	struct foreign *f;

	/* At first nothing is news; later also what came while nobody listened. */
	if (rec->change == NULL || mapcache_age(all->cache) < 0 ||
	    rec->seq <= mapcache_seq(all->cache, rec->user) ||
	    all->told[rec->seq % TOLD] == rec->seq)
		return;
	f = must(talloc_zero(all, struct foreign));
	f->seq = rec->seq;
	f->came = clock_ms();
	f->text = must(talloc_strdup(f, rec->change));
	f->next = all->foreign;
	all->foreign = f;
}

static void
tell_foreign(struct workers *all)
{
	struct foreign **p = &all->foreign, *f;

	while ((f = *p) != NULL) {
		if (clock_ms() - f->came < 1000) {
			p = &f->next;
			continue;
		}
		*p = f->next;
		tell_change(all, f->text, strlen(f->text), true);
		talloc_free(f);
	}
}

static void
heard_followed(struct workers *all, const struct said *s, const char *data)
{
	struct followed rec = s->rec;

	if (s->event == FOLLOW_RECORD) {
		rec.user = data;
		data += strlen(data) + 1;
		rec.text = rec.text == NULL ? NULL : data;
		data += rec.text == NULL ? 0 : strlen(data) + 1;
		rec.change = rec.change == NULL ? NULL : data;
		note_foreign(all, &rec);
	}
	mapcache_take(all->cache, s->event, &rec);
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

/* One whole thing that it said; false: there is none. */
static bool
heard(struct worker *w)
{
	struct workers *all = w->all;
	struct job *job = w->job;
	struct said s;
	char *data;

	if (w->len - w->at < sizeof(s))
		return false;
	memcpy(&s, w->buf + w->at, sizeof(s));
	if (w->len - w->at - sizeof(s) < s.len)
		return false;
	data = must(talloc_memdup(NULL, w->buf + w->at + sizeof(s), s.len + 1));
	w->at += sizeof(s) + s.len;
	if (s.what == FOLLOW)
		heard_followed(all, &s, data);
	else if (s.what == CHANGE)
		tell_change(all, data, s.len, s.imported);
	else if (job != NULL) {
		s.answer.data = data;
		w->job = NULL;
		if (s.answer.st == ST_OK || s.answer.st == ST_NONE)
			all->silent = false;
		if (w->stale)
			rehire(w);
		end_job(job, &s.answer);
	}
	talloc_free(data);
	return true;
}

static void
worker_said(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct workers *all = w->all;
	pid_t pid = w->pid;
	ssize_t n;

	(void)what;
	if (w->size - w->len < 65536) {
		w->size = w->size * 2 + 65537;
		w->buf = must(talloc_realloc_size(all, w->buf, w->size));
	}
	n = recv(fd, w->buf + w->len, w->size - w->len - 1, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(w, w->role == KEEPS ? "the keeper ended" :
		    w->role == FOLLOWS ? "who follows the map ended" : "it ended");
		dispatch(all);
		return;
	}
	w->len += (size_t)n;
	while (w->pid == pid && heard(w))
		continue;
	memmove(w->buf, w->buf + w->at, w->len - w->at);
	w->len -= w->at;
	w->at = 0;
	dispatch(all);
}

/* Who would not wait as long is told; the question itself goes on. */
static bool
is_impatient(const struct job *job, long long now)
{
	return job != NULL && job->cl != NULL && job->told != 0 &&
	    job->told <= now;
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
tell_impatient(struct workers *all, long long now)
{
	struct client *cl;
	struct job *job;

	while ((job = impatient(all, now)) != NULL) {
		cl = job->cl;
		job->cl = NULL;
		if (!all->silent)
			all->probed = now;
		all->silent = true;
		client_answered(cl, NULL);	/* it may ask the next one */
	}
}

/* Deadlines: of who is asked, and of what waits to be. */
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
	tell_impatient(all, now);
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

bool
workers_ask(struct workers *all, struct client *cl, const char *req, size_t len)
{
	static const struct timeval soon = { 0, LOOK_MS * 1000 };
	int patience = cl->pr->patience;
	long long now = clock_ms();
	bool hopeless = patience != 0 && all->silent;
	struct job *job;

	if (all->queued >= QUEUE_MAX ||
	    (hopeless && now - all->probed < PROBE_MS))
		return false;
	job = must(calloc(1, sizeof(*job) + len + 1));
	job->cl = hopeless ? NULL : cl;
	job->probe = hopeless;
	job->end = now + all->map->ops->patience(all->map) * 1000LL;
	job->told = patience == 0 ? 0 : now + patience;
	job->asked = (struct asked){ cl->pr, cl->peer, len };
	memcpy(job->req, req, len);
	TAILQ_INSERT_TAIL(&all->queue, job, entry);
	all->queued++;
	if (hopeless)
		all->probed = now;
	if (!event_pending(all->look, EV_TIMEOUT, NULL))
		(void)event_add(all->look, &soon);
	dispatch(all);
	return !hopeless;
}

void
workers_forget(struct workers *all, const struct client *cl)
{
	struct job *job;
	int i;

	for (i = 0; i < all->n; i++)
		if (all->w[i].job != NULL && all->w[i].job->cl == cl)
			all->w[i].job->cl = NULL;
	TAILQ_FOREACH(job, &all->queue, entry)
		if (job->cl == cl)
			job->cl = NULL;
}

void
workers_second(struct workers *all)
{
	struct err err;
	int i;

	reap(all);
	tell_foreign(all);
	if (all->cache != NULL && mapcache_age(all->cache) >= 0)
		metrics_set(M_CACHE_AGE, (uint64_t)mapcache_age(all->cache) / 1000);
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
	all->changed = changed;
	all->changed_arg = arg;
	all->n = map->ops->workers(map) + 1 + (map->ops->follow != NULL);
	if (map->ops->follow != NULL)
		all->cache = mapcache_new(all, map->conf);
	all->w = must(talloc_zero_array(all, struct worker, (unsigned)all->n));
	all->look = must(evtimer_new(base, on_look, all));
	TAILQ_INIT(&all->queue);
	talloc_set_destructor(all, workers_destroy);
	for (i = 0; i < all->n && st == ST_OK; i++) {
		all->w[i].all = all;
		all->w[i].role = i == 0 ? KEEPS : i == 1 &&
		    map->ops->follow != NULL ? FOLLOWS : ANSWERS;
		st = hire(&all->w[i], err);
	}
	if (st != ST_OK)
		talloc_free(all);
	else
		*out = all;
	return st;
}
