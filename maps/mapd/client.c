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
#include "maps/mapd/workers.h"

#define TURN		32		/* answers to a client in one turn */
#define UNSENT_MAX	(1024 * 1024)	/* bytes; then no answer is made */

void
client_drop(struct client *cl)
{
	TAILQ_REMOVE(&cl->all->list, cl, entry);
	cl->all->n--;
	metrics_client(cl->pr, -1);
	if (cl->busy)
		workers_forget(cl->all->workers, cl);
	if (cl->readable != NULL)
		event_free(cl->readable);
	if (cl->writable != NULL)
		event_free(cl->writable);
	(void)close(cl->fd);
	free(cl->in.data);
	free(cl->out.data);
	free(cl);
}

static void
room(struct buffer *b, size_t want)
{
	if (b->at > 0) {
		if (b->len > b->at)
			memmove(b->data, b->data + b->at, b->len - b->at);
		b->len -= b->at;
		b->at = 0;
	}
	if (b->size - b->len >= want)
		return;
	b->size = b->len + want + b->size / 2;
	b->data = must(realloc(b->data, b->size));
}

static void
put_answer(struct client *cl, const char *data, size_t len)
{
	struct buffer *b = &cl->out;
	char *p;

	room(b, len + NETSTRING_OVERHEAD);
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
		if (cl->closing) {
			client_drop(cl);
			return false;
		}
		(void)event_del(cl->writable);
		if (!cl->busy)
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
	cl->busy = true;
	cl->used = used;
	if (workers_ask(cl->all->workers, cl->pr, &cl->peer, req, len, answered,
	    cl))
		return ST_AGAIN;
	cl->busy = false;
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

static void
turn(struct client *cl)
{
	enum status st = ST_OK;
	int i;

	for (i = 0; i < TURN && st == ST_OK && !cl->closing && !cl->busy &&
	    cl->out.len - cl->out.at < UNSENT_MAX; i++)
		st = cl->in.len > cl->in.at ? answer_one(cl) : ST_AGAIN;
	if (st == ST_NEVER) {
		client_drop(cl);
		return;
	}
	if (cl->busy)
		(void)event_del(cl->readable);
	if (client_flush(cl) && st == ST_OK && cl->out.len == 0)
		event_active(cl->readable, EV_READ, 0);	/* after the others */
}

static void
touch(struct client *cl)
{
	cl->seen = clock_ms();
	TAILQ_REMOVE(&cl->all->list, cl, entry);
	TAILQ_INSERT_TAIL(&cl->all->list, cl, entry);
}

static void
answered(void *arg, const struct answer *answer)
{
	struct client *cl = arg;

	cl->busy = false;
	touch(cl);
	if (answer != NULL)
		take_answer(cl, answer, cl->used);
	else
		answer_busy(cl, cl->used);
	turn(cl);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;
	ssize_t n;

	(void)what;
	touch(cl);
	if (cl->in.len - cl->in.at < cl->pr->request_max + NETSTRING_OVERHEAD) {
		room(&cl->in, 4096);
		n = recv(fd, cl->in.data + cl->in.len, cl->in.size - cl->in.len,
		    MSG_DONTWAIT);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
			client_drop(cl);
			return;
		}
		if (n > 0)
			cl->in.len += (size_t)n;
	}
	turn(cl);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;

	(void)fd;
	(void)what;
	touch(cl);
	if (client_flush(cl) && cl->out.len == 0 && cl->in.len > cl->in.at)
		turn(cl);
}

int
client_count(const struct clients *all, const struct protocol *pr, uid_t uid)
{
	const struct client *cl;
	int n = 0;

	TAILQ_FOREACH(cl, &all->list, entry)
		n += cl->pr == pr && cl->peer.uid == uid;
	return n;
}

void
client_welcome(struct clients *all, int fd, const struct protocol *pr,
    const struct wire_peer *peer)
{
	struct client *cl = must(calloc(1, sizeof(*cl)));

	*cl = (struct client){ .all = all, .fd = fd, .pr = pr, .peer = *peer,
	    .seen = clock_ms() };
	TAILQ_INSERT_TAIL(&all->list, cl, entry);
	all->n++;
	metrics_client(pr, 1);
	cl->readable = must(event_new(all->base, fd, EV_READ | EV_PERSIST,
	    on_readable, cl));
	cl->writable = must(event_new(all->base, fd, EV_WRITE | EV_PERSIST,
	    on_writable, cl));
	(void)event_add(cl->readable, NULL);
}
