/*
 * server.c - one event loop between clients and the map, blocking on neither
 *
 * A client is read when it has something, answered at once, and not read while
 * it does not take its answers.  It gets a few answers at a turn, so that one
 * who sends thousands of requests at once delays nobody.
 */
#include "maps/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "maps/base/netstring.h"
#include "maps/peer.h"
#include "maps/wire.h"

#define TURN		32		/* answers to one client before the next */
#define BACKLOG		1024
#define UNREAD_MAX	(2 * WIRE_ANSWER_MAX)	/* bytes a client may leave */
#define EMFILE_REST	100		/* ms without accepting */
#define ACCEPTS		64		/* at a turn */

struct buffer {
	char	*data;
	size_t	 at, len, size;		/* data[at .. len) is still to be used */
};

struct client {
	TAILQ_ENTRY(client) entry;	/* in the order of last activity */
	struct server	*srv;
	struct event	*readable, *writable;
	int		 fd;
	struct wire_peer peer;
	struct buffer	 in, out;
	long long	 seen;		/* clock_ms() of the last activity */
	bool		 watching;
};

TAILQ_HEAD(clients, client);

struct server {
	const struct conf	*conf;
	struct map		*map;
	struct peer_rules	*rules;
	struct event_base	*base;
	struct event		*listening, *each_second, *resting, *working;
	struct event		*on_term, *on_int, *on_hup;
	int			 fd;
	char			*path;
	struct clients		 clients;
	int			 nclients;
	long long		 told;	/* when "too many" was last logged */
	server_reload_fn	*reload;
	void			*reload_arg;
};

static void	turn(struct client *cl);

static void
drop(struct client *cl)
{
	struct server *srv = cl->srv;

	TAILQ_REMOVE(&srv->clients, cl, entry);
	srv->nclients--;
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
put(struct buffer *b, const char *data, size_t len)
{
	room(b, len);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void
put_answer(struct client *cl, const char *answer, size_t len)
{
	char head[NETSTRING_OVERHEAD];

	put(&cl->out, head, netstring_head(head, len));
	put(&cl->out, answer, len);
	put(&cl->out, ",", 1);
}

/* False: the client is gone. */
static bool
flush(struct client *cl)
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
			drop(cl);
			return false;
		}
		b->at += (size_t)n;
	}
	if (b->at == b->len) {
		b->at = b->len = 0;
		(void)event_del(cl->writable);
		(void)event_add(cl->readable, NULL);
		return true;
	}
	/* It does not read: then we do not read it either. */
	(void)event_add(cl->writable, NULL);
	if (!cl->watching)
		(void)event_del(cl->readable);
	return true;
}

/* One request, if there is a whole one.  ST_AGAIN: not yet. */
static enum status
answer_one(struct client *cl)
{
	const char *request;
	size_t len, used, alen;
	TALLOC_CTX *ctx;
	enum status st;
	char *answer;
	bool watch;

	st = netstring_parse(cl->in.data + cl->in.at, cl->in.len - cl->in.at,
	    WIRE_REQUEST_MAX, &request, &len, &used);
	if (st != ST_OK)
		return st;
	ctx = must(talloc_pool(NULL, 8192));
	wire_answer(ctx, cl->srv->map, &cl->peer, request, len, &answer, &alen,
	    &watch);
	put_answer(cl, answer, alen);
	talloc_free(ctx);
	cl->in.at += used;
	if (watch)
		cl->watching = true;
	return ST_OK;
}

static void
turn(struct client *cl)
{
	enum status st = ST_OK;
	int i;

	for (i = 0; i < TURN && st == ST_OK && cl->out.len - cl->out.at <
	    WIRE_ANSWER_MAX; i++)
		st = cl->in.len > cl->in.at ? answer_one(cl) : ST_AGAIN;
	if (st == ST_NEVER) {
		drop(cl);
		return;
	}
	if (flush(cl) && st == ST_OK && cl->out.len == 0)
		event_active(cl->readable, EV_READ, 0);	/* others first */
}

static void
touch(struct client *cl)
{
	cl->seen = clock_ms();
	TAILQ_REMOVE(&cl->srv->clients, cl, entry);
	TAILQ_INSERT_TAIL(&cl->srv->clients, cl, entry);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;
	ssize_t n;

	(void)what;
	touch(cl);
	if (cl->in.len - cl->in.at < WIRE_REQUEST_MAX + NETSTRING_OVERHEAD) {
		room(&cl->in, 4096);
		n = recv(fd, cl->in.data + cl->in.len, cl->in.size - cl->in.len,
		    MSG_DONTWAIT);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
			drop(cl);
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
	if (flush(cl) && cl->out.len == 0 && cl->in.len > cl->in.at)
		turn(cl);
}

static void
welcome(struct server *srv, int fd)
{
	struct client *cl = must(calloc(1, sizeof(*cl)));
	struct err err;

	*cl = (struct client){ .srv = srv, .fd = fd };
	TAILQ_INSERT_TAIL(&srv->clients, cl, entry);
	srv->nclients++;
	if (peer_of(fd, srv->rules, &cl->peer, &err) != ST_OK) {
		drop(cl);
		return;
	}
	cl->seen = clock_ms();
	cl->readable = must(event_new(srv->base, fd, EV_READ | EV_PERSIST,
	    on_readable, cl));
	cl->writable = must(event_new(srv->base, fd, EV_WRITE | EV_PERSIST,
	    on_writable, cl));
	(void)event_add(cl->readable, NULL);
}

static void
tell_full(struct server *srv, const char *why)
{
	if (srv->told != 0 && clock_ms() - srv->told < 60000)
		return;
	srv->told = clock_ms();
	log_why(LOG_WARNING, "full", why);
}

/* Too many: a clear word and the door.  An LDA that waited in the backlog would
 * defer as well, but later. */
static void
turn_away(struct server *srv, int fd)
{
	static const char busy[] = "AGAIN too many clients";
	char text[sizeof(busy) + NETSTRING_OVERHEAD];
	int len = snprintf(text, sizeof(text), "%zu:%s,", sizeof(busy) - 1, busy);

	tell_full(srv, "max_connections reached: clients are told to come again");
	(void)!send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static void
on_listening(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval rest = { 0, EMFILE_REST * 1000 };
	struct server *srv = arg;
	int i, new;

	(void)what;
	for (i = 0; i < ACCEPTS; i++) {
		new = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (new == -1 && (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS)) {
			tell_full(srv, "no descriptors left: raise LimitNOFILE");
			(void)event_del(srv->listening);
			(void)event_add(srv->resting, &rest);
		}
		if (new == -1)
			return;
		if (srv->nclients >= srv->conf->max_connections)
			turn_away(srv, new);
		else
			welcome(srv, new);
	}
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;

	(void)fd;
	(void)what;
	(void)event_add(srv->listening, NULL);
}

/* A batch of the map's waiting work, then whoever asks, then the next. */
static void
on_working(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval breath = { 0, 200 };
	struct server *srv = arg;
	enum status st = ST_NONE;
	struct err err;

	(void)fd;
	(void)what;
	if (srv->map->ops->tick != NULL)
		st = srv->map->ops->tick(srv->map, &err);
	if (st == ST_OK)
		(void)event_add(srv->working, &breath);
	else if (st != ST_NONE)		/* on_second tries again */
		log_why(LOG_ERR, "unfinished", err.text);
}

/* The list is in the order of activity: only the silent are looked at. */
static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;
	long long now = clock_ms();
	struct client *cl, *next;

	on_working(fd, what, srv);
	for (cl = TAILQ_FIRST(&srv->clients); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		if (now - cl->seen < srv->conf->idle_timeout * 1000LL)
			break;
		if (!cl->watching || cl->out.len > cl->out.at)
			drop(cl);
	}
}

static void
log_change(const struct change *ch)
{
	struct logline l;

	log_begin(&l, LOG_INFO, ch->is == NULL ? "deleted" : "changed");
	log_str(&l, "user", ch->user);
	log_str(&l, "from", ch->was == NULL ? "none" : state_name(ch->was->state));
	if (ch->is != NULL) {
		log_str(&l, "to", state_name(ch->is->state));
		log_num(&l, "version", (long long)ch->is->version);
	}
	log_str(&l, "by", ch->by.by);
	log_str(&l, "why", ch->by.why);
	log_end(&l);
}

/* Every change is a line of the log, and news for who watches. */
static enum status
on_change(const struct change *ch, void *arg, struct err *err)
{
	struct server *srv = arg;
	struct client *cl, *next;
	size_t alen;
	char *answer = wire_change(NULL, ch, &alen);

	(void)err;
	if (!ch->imported)		/* there may be 100,000 of those */
		log_change(ch);
	for (cl = TAILQ_FIRST(&srv->clients); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		if (!cl->watching)
			continue;
		put_answer(cl, answer, alen);
		if (cl->out.len - cl->out.at > UNREAD_MAX)
			shutdown(cl->fd, SHUT_RDWR);	/* on_readable drops it */
		(void)event_add(cl->writable, NULL);
	}
	talloc_free(answer);
	return ST_OK;
}

static void
on_end(evutil_socket_t sig, short what, void *arg)
{
	struct server *srv = arg;

	(void)sig;
	(void)what;
	(void)event_base_loopbreak(srv->base);
}

static void
on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct server *srv = arg;
	const struct conf *conf;
	struct peer_rules *rules;
	struct err err;

	(void)sig;
	(void)what;
	conf = srv->reload == NULL ? NULL : srv->reload(srv->reload_arg);
	if (conf == NULL)
		return;
	if (peer_rules(srv, conf, &rules, &err) != ST_OK) {
		log_why(LOG_ERR, "reload", err.text);
		return;
	}
	talloc_free(srv->rules);
	srv->rules = rules;
	srv->conf = srv->map->conf = conf;
	log_why(LOG_INFO, "reloaded", conf->path);
}

/* A socket that nobody answers at is left from a crash. */
static bool
is_answered(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	if (fd == -1)
		return true;
	yes = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
	    errno == EAGAIN;
	(void)close(fd);
	return yes;
}

static enum status
listen_at(struct server *srv, const char *path, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char *copy = must(talloc_strdup(srv, path));
	const char *dir = dirname(copy);

	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		return err_sys(err, "mkdir %s", dir);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	srv->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (srv->fd == -1)
		return err_sys(err, "socket");
	if (is_answered(&addr))
		return err_set(err, ST_AGAIN, "%s: another mailferry-mapd answers "
		    "there", path);
	(void)unlink(path);
	if (bind(srv->fd, (struct sockaddr *)&addr, sizeof(addr)) == -1)
		return err_sys(err, "bind %s", path);
	srv->path = must(talloc_strdup(srv, path));
	if (chmod(path, 0666) == -1 || listen(srv->fd, BACKLOG) == -1)
		return err_sys(err, "listen at %s", path);
	return ST_OK;
}

static int
server_destroy(struct server *srv)
{
	struct event **const all[] = { &srv->listening, &srv->each_second,
	    &srv->resting, &srv->working, &srv->on_term, &srv->on_int, &srv->on_hup };
	size_t i;

	srv->map->changed = NULL;
	if (srv->path != NULL)
		(void)unlink(srv->path);
	while (!TAILQ_EMPTY(&srv->clients))
		drop(TAILQ_FIRST(&srv->clients));
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (*all[i] != NULL)
			event_free(*all[i]);
	if (srv->fd != -1)
		(void)close(srv->fd);
	if (srv->base != NULL)
		event_base_free(srv->base);
	return 0;
}

static void
make_events(struct server *srv)
{
	static const struct timeval second = { 1, 0 };

	srv->base = must(event_base_new());
	srv->listening = must(event_new(srv->base, srv->fd, EV_READ | EV_PERSIST,
	    on_listening, srv));
	srv->resting = must(evtimer_new(srv->base, on_rested, srv));
	srv->working = must(evtimer_new(srv->base, on_working, srv));
	srv->each_second = must(event_new(srv->base, -1, EV_PERSIST, on_second,
	    srv));
	srv->on_term = must(evsignal_new(srv->base, SIGTERM, on_end, srv));
	srv->on_int = must(evsignal_new(srv->base, SIGINT, on_end, srv));
	srv->on_hup = must(evsignal_new(srv->base, SIGHUP, on_hup, srv));
	(void)event_add(srv->listening, NULL);
	(void)event_add(srv->each_second, &second);
	(void)event_add(srv->on_term, NULL);
	(void)event_add(srv->on_int, NULL);
	(void)event_add(srv->on_hup, NULL);
}

enum status
server_new(TALLOC_CTX *ctx, const struct conf *conf, struct map *map,
    struct server **out, struct err *err)
{
	struct server *srv = must(talloc_zero(ctx, struct server));
	enum status st;

	srv->conf = conf;
	srv->map = map;
	srv->fd = -1;
	TAILQ_INIT(&srv->clients);
	talloc_set_destructor(srv, server_destroy);
	st = peer_rules(srv, conf, &srv->rules, err);
	if (st == ST_OK)
		st = listen_at(srv, conf->map_socket, err);
	if (st != ST_OK) {
		talloc_free(srv);
		return st;
	}
	make_events(srv);
	map->changed = on_change;
	map->changed_arg = srv;
	*out = srv;
	return ST_OK;
}

/* What was read is answered, as far as it goes without waiting. */
static void
last_answers(struct server *srv)
{
	struct client *cl, *next;

	for (cl = TAILQ_FIRST(&srv->clients); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		(void)flush(cl);
	}
}

enum status
server_run(struct server *srv, server_reload_fn *reload, void *arg,
    struct err *err)
{
	int rc = 0;

	srv->reload = reload;
	srv->reload_arg = arg;
	srv->map->rests = true;
	while (rc == 0 && !event_base_got_break(srv->base)) {
		rc = event_base_loop(srv->base, EVLOOP_ONCE);
		map_rest(srv->map);
	}
	srv->map->rests = false;
	if (rc == -1)
		return err_set(err, ST_AGAIN, "the event loop failed");
	last_answers(srv);
	return ST_OK;
}
