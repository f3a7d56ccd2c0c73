/* SPDX-License-Identifier: ISC */
/*
 * client.c - one connection of mailferry-mapd: its buffers, its turns
 */
#include "maps/mapd/client.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "maps/base/netstring.h"
#include "maps/mapd/cache.h"
#include "maps/mapd/metrics.h"
#include "maps/mapd/passed.h"
#include "maps/mapd/workers.h"

#define TURN		32		/* answers to a uid in one turn */
#define UNSENT_MAX	(64 * 1024)	/* bytes; then no answer is made */
#define HELD_MAX	(64 * 1024 * 1024)	/* bytes, of all clients */
#define HELD_EMPTY	8192		/* bytes that an unused buffer keeps */
#define SHARE_JOBS	16		/* of a uid without a kept place, with
					   workers at a time */

static void
enqueue(struct client *cl, struct clientq *queue)
{
	struct share *s = cl->share;

	if (cl->queue != NULL)
		TAILQ_REMOVE(cl->queue, cl, queued);
	TAILQ_INSERT_TAIL(queue, cl, queued);
	cl->queue = queue;
	if (queue != &s->ready || s->waits)
		return;
	s->waits = true;
	TAILQ_INSERT_TAIL(&cl->all->shares.turns, s, turn);
}

static void
dequeue(struct client *cl)
{
	if (cl->queue != NULL)
		TAILQ_REMOVE(cl->queue, cl, queued);
	cl->queue = NULL;
}

static void
set_busy(struct client *cl, bool busy)
{
	struct client *next;

	cl->busy = busy;
	cl->share->jobs += busy ? 1 : -1;
	next = busy ? NULL : TAILQ_FIRST(&cl->share->parked);
	if (next != NULL)
		enqueue(next, &next->share->ready);
}

static void
release(struct buffer *b, struct clients *all)
{
	all->held -= b->size;
	free(b->data);
	*b = (struct buffer){ .size = 0 };
}

/* The connection is closed: its place is free. */
static void
on_closed(void *arg)
{
	struct client *cl = arg;

	cl->all->n--;
	cl->all->ordinary -= !cl->peer.kept;
	share_release(&cl->all->shares, cl->share);
	free(cl);
}

void
client_drop(struct client *cl)
{
	TAILQ_REMOVE(&cl->all->list, cl, entry);
	metrics_client(cl->pr, -1);
	if (cl->busy) {
		workers_forget(cl->all->workers, cl);
		set_busy(cl, false);
	}
	dequeue(cl);
	event_free(cl->readable);
	event_free(cl->writable);
	release(&cl->in, cl->all);
	release(&cl->out, cl->all);
	passed_close(cl->fd, on_closed, cl);
}

static void
room(struct clients *all, struct buffer *b, size_t want)
{
	if (b->at > 0) {
		if (b->len > b->at)
			memmove(b->data, b->data + b->at, b->len - b->at);
		b->len -= b->at;
		b->at = 0;
	}
	if (b->size - b->len >= want)
		return;
	all->held -= b->size;
	b->size = b->len + want + b->size / 2;
	all->held += b->size;
	b->data = must(realloc(b->data, b->size));
}

static void
touch(struct client *cl)
{
	cl->seen = clock_ms();
	TAILQ_REMOVE(&cl->all->list, cl, entry);
	TAILQ_INSERT_TAIL(&cl->all->list, cl, entry);
}

static void
put_answer(struct client *cl, const char *data, size_t len)
{
	struct buffer *b = &cl->out;
	char *p;

	room(cl->all, b, len + NETSTRING_OVERHEAD);
	p = b->data + b->len;
	if (cl->pr->netstrings)
		p += netstring_head(p, len);
	p = mempcpy(p, data, len);
	if (cl->pr->netstrings)
		*p++ = ',';
	b->len = (size_t)(p - b->data);
}

void
client_send(struct client *cl, const char *data, size_t len)
{
	put_answer(cl, data, len);
	if (cl->out.len - cl->out.at > CLIENT_UNREAD_MAX)
		shutdown(cl->fd, SHUT_RDWR);	/* on_readable drops it */
	(void)event_add(cl->writable, NULL);
}

bool
client_flush(struct client *cl)
{
	struct buffer *b = &cl->out;
	ssize_t n;

	while (b->at < b->len) {
		n = send(cl->fd, b->data + b->at, b->len - b->at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1) {
			client_drop(cl);
			return false;
		}
		b->at += (size_t)n;
	}
	if (b->at == b->len) {
		b->at = b->len = 0;
		if (b->size > HELD_EMPTY)
			release(b, cl->all);
		if (cl->closing) {
			client_drop(cl);
			return false;
		}
		(void)event_del(cl->writable);
		if (!cl->busy && cl->queue != &cl->share->parked)
			(void)event_add(cl->readable, NULL);
		return true;
	}
	/* It does not read its answers, so nothing is read from it. */
	(void)event_add(cl->writable, NULL);
	if (!cl->watching)
		(void)event_del(cl->readable);
	return true;
}

static enum status
next_request(const struct client *cl, const char **req, size_t *len,
    size_t *used)
{
	const char *buf = cl->in.data + cl->in.at;
	size_t n = cl->in.len - cl->in.at;

	return cl->pr->netstrings ?
	    netstring_parse(buf, n, cl->pr->request_max, req, len, used) :
	    cl->pr->parse(buf, n, req, len, used);
}

/* Once a minute: such a client connects again and again. */
static void
log_dropped(struct client *cl, const char *why)
{
	struct logline l;

	if (cl->all->logged != 0 && clock_ms() - cl->all->logged < 60000)
		return;
	cl->all->logged = clock_ms();
	log_begin(&l, LOG_WARNING, "dropped");
	log_str(&l, "protocol", cl->pr->name);
	log_num(&l, "uid", cl->peer.uid);
	log_str(&l, "why", why);
	log_end(&l);
}

/* The answer to a request that had `used` bytes. */
static void
take_answer(struct client *cl, const struct answer *out, size_t used)
{
	metrics_request(cl->pr, out->st, clock_us() - cl->asked);
	metrics_add(M_DEFERRALS, out->window);
	metrics_add(M_CONFLICTS, out->conflict);
	if (out->len > 0)
		put_answer(cl, out->data, out->len);
	cl->in.at += used;
	cl->watching = cl->watching || out->watch;
	cl->closing = cl->closing || out->close;
	if (out->why != NULL)
		log_dropped(cl, out->why);
}

static void
answer_busy(struct client *cl, size_t used)
{
	struct answer out = { .st = ST_AGAIN,
	    .data = (char *)(uintptr_t)cl->pr->busy };

	out.len = strlen(out.data);
	take_answer(cl, &out, used);
}

/* From the copy of all records, if it may be and if the copy has the answer. */
static bool
answer_late(struct client *cl, const char *req, size_t len, size_t used)
{
	int late = cl->pr->late == NULL ? 0 : cl->pr->late(req, len);
	struct map *cache = workers_cache(cl->all->workers, late);
	struct answer out = { .st = ST_OK };
	TALLOC_CTX *ctx;
	bool missed;

	if (cache == NULL)
		return false;
	ctx = must(talloc_pool(NULL, 8192));
	cl->pr->answer(ctx, cache, &cl->peer, req, len, &out);
	missed = mapcache_missed(cache);
	if (!missed) {
		metrics_add(M_CACHED, 1);
		take_answer(cl, &out, used);
	}
	talloc_free(ctx);
	return !missed;
}

static void answered(void *arg, const struct answer *answer);

/* ST_AGAIN: the answer comes later. */
static enum status
ask_worker(struct client *cl, const char *req, size_t len, size_t used)
{
	if (!cl->peer.kept && cl->share->jobs >= SHARE_JOBS) {
		enqueue(cl, &cl->share->parked);
		return ST_AGAIN;
	}
	set_busy(cl, true);
	cl->used = used;
	if (workers_ask(cl->all->workers, cl->pr, &cl->peer, req, len, answered,
	    cl))
		return ST_AGAIN;
	set_busy(cl, false);
	answer_busy(cl, used);
	return ST_OK;
}

/* One request.  ST_AGAIN: there is no whole one yet, or a worker has it. */
static enum status
answer_one(struct client *cl)
{
	struct answer out = { .st = ST_OK };
	const char *req;
	size_t len, used;
	TALLOC_CTX *ctx;
	enum status st;

	st = next_request(cl, &req, &len, &used);
	if (st != ST_OK)
		return st;
	cl->asked = clock_us();
	if (cl->all->workers != NULL && !cl->pr->mapless &&
	    answer_late(cl, req, len, used))
		return ST_OK;
	if (cl->all->workers != NULL && !cl->pr->mapless)
		return ask_worker(cl, req, len, used);
	ctx = must(talloc_pool(NULL, 8192));
	cl->pr->answer(ctx, cl->all->map, &cl->peer, req, len, &out);
	take_answer(cl, &out, used);
	talloc_free(ctx);
	return ST_OK;
}

/* Returns the number of answers that it used up; cl may be gone. */
static int
answer_some(struct client *cl, int most)
{
	enum status st = ST_OK;
	int n = 0;

	while (n < most && st == ST_OK && !cl->closing && !cl->busy &&
	    cl->out.len - cl->out.at < UNSENT_MAX) {
		st = cl->in.len > cl->in.at ? answer_one(cl) : ST_AGAIN;
		n += st == ST_OK;
	}
	if (n > 0)
		touch(cl);
	if (st == ST_NEVER) {
		client_drop(cl);
		return n;
	}
	if (cl->in.len == cl->in.at && cl->in.size > HELD_EMPTY)
		release(&cl->in, cl->all);
	if (cl->busy || cl->queue == &cl->share->parked)
		(void)event_del(cl->readable);
	if (client_flush(cl) && st == ST_OK && !cl->busy && cl->out.len == 0)
		enqueue(cl, &cl->share->ready);	/* after the others */
	return n;
}

/* False: the client is gone. */
static bool
take_bytes(struct client *cl)
{
	struct buffer *b = &cl->in;
	ssize_t n;

	cl->arrived = false;
	if (b->len - b->at >= cl->pr->request_max + NETSTRING_OVERHEAD)
		return true;
	room(cl->all, b, 4096);
	n = passed_recv(cl->fd, b->data + b->len, b->size - b->len);
	if (n == -1 && errno == EBADMSG)
		log_dropped(cl, "it passes a descriptor");
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		client_drop(cl);
		return false;
	}
	b->len += n > 0 ? (size_t)n : 0;
	return true;
}

static int
serve(struct client *cl, int most)
{
	int n;

	dequeue(cl);
	if (cl->busy || (cl->arrived && !take_bytes(cl)))
		return 1;
	n = answer_some(cl, most);
	return n == 0 ? 1 : n;
}

static void
serve_share(struct clients *all, struct share *s)
{
	int left = TURN;

	TAILQ_REMOVE(&all->shares.turns, s, turn);
	s->waits = false;
	s->n++;				/* its last client may go */
	while (left > 0 && !TAILQ_EMPTY(&s->ready))
		left -= serve(TAILQ_FIRST(&s->ready), left);
	if (!TAILQ_EMPTY(&s->ready) && !s->waits) {
		s->waits = true;
		TAILQ_INSERT_TAIL(&all->shares.turns, s, turn);
	}
	share_release(&all->shares, s);
}

/* The client that makes mapd keep the most. */
static struct client *
biggest(const struct clients *all)
{
	struct client *cl, *most = TAILQ_FIRST(&all->list);

	TAILQ_FOREACH(cl, &all->list, entry)
		if (cl->in.size + cl->out.size > most->in.size + most->out.size)
			most = cl;
	return most;
}

bool
clients_serve(struct clients *all)
{
	struct share *s, *last = TAILQ_LAST(&all->shares.turns, shareq);
	struct client *cl;

	while (last != NULL && (s = TAILQ_FIRST(&all->shares.turns)) != NULL) {
		if (s == last)
			last = NULL;
		serve_share(all, s);
	}
	while (all->held > HELD_MAX && (cl = biggest(all)) != NULL) {
		log_dropped(cl, "all clients together leave too much unread");
		client_drop(cl);
	}
	return !TAILQ_EMPTY(&all->shares.turns);
}

static void
answered(void *arg, const struct answer *answer)
{
	struct client *cl = arg;

	set_busy(cl, false);
	touch(cl);
	if (answer != NULL)
		take_answer(cl, answer, cl->used);
	else
		answer_busy(cl, cl->used);
	enqueue(cl, &cl->share->ready);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;

	(void)fd;
	(void)what;
	cl->arrived = true;
	if (cl->queue == NULL)
		enqueue(cl, &cl->share->ready);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;

	(void)fd;
	(void)what;
	if (!client_flush(cl) || cl->out.len > 0)
		return;
	touch(cl);
	if (cl->in.len > cl->in.at && cl->queue == NULL && !cl->busy)
		enqueue(cl, &cl->share->ready);
}

bool
clients_make_place(struct clients *all, uid_t uid)
{
	struct share *most = share_greediest(&all->shares);
	const struct share *own = share_of(&all->shares, uid);
	struct client *cl;

	if (most == NULL || most->n <= (own == NULL ? 0 : own->n) + 1)
		return false;
	TAILQ_FOREACH(cl, &all->list, entry)
		if (cl->share == most && !cl->busy && !cl->peer.kept)
			break;
	if (cl != NULL)
		client_drop(cl);
	return cl != NULL;
}

void
clients_drop_idle(struct clients *all, long long then)
{
	struct client *cl, *next;

	for (cl = TAILQ_FIRST(&all->list); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		if (cl->seen > then)
			break;
		if (!cl->busy && (!cl->watching || cl->out.len > cl->out.at))
			client_drop(cl);
	}
}

void
client_welcome(struct clients *all, int fd, const struct protocol *pr,
    const struct wire_peer *peer)
{
	struct client *cl = must(calloc(1, sizeof(*cl)));

	*cl = (struct client){ .all = all, .fd = fd, .pr = pr, .peer = *peer,
	    .seen = clock_ms(), .share = share_hold(&all->shares, peer->uid) };
	TAILQ_INSERT_TAIL(&all->list, cl, entry);
	all->n++;
	all->ordinary += !peer->kept;
	metrics_client(pr, 1);
	cl->readable = must(event_new(all->base, fd, EV_READ | EV_PERSIST,
	    on_readable, cl));
	cl->writable = must(event_new(all->base, fd, EV_WRITE | EV_PERSIST,
	    on_writable, cl));
	(void)event_add(cl->readable, NULL);
}
