/* SPDX-License-Identifier: ISC */
/*
 * server.c - one event loop between clients and the map
 *
 * It listens at one socket for each protocol, accepts connections, and does
 * what is due each second.  Requests and answers are the business of client.c.
 */
#include "maps/mapd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "maps/base/netstring.h"
#include "maps/base/notify.h"
#include "maps/mapd/client.h"
#include "maps/mapd/metrics.h"
#include "maps/mapd/passed.h"
#include "maps/mapd/peer.h"
#include "maps/mapd/wire_answer.h"
#include "maps/mapd/workers.h"

#define BACKLOG		1024
#define EMFILE_REST	100		/* ms without accepting */
#define KEPT_SHARE	10		/* one place in so many is kept */
#define ACCEPTS		64		/* at a turn */
#define LISTENERS	4

struct listener {
	struct server		*srv;
	const struct protocol	*pr;
	struct event		*ready;
	int			 fd;
	char			*path;
};

struct server {
	const struct conf	*conf;
	struct map		*map;
	struct peer_rules	*rules;
	struct event_base	*base;
	struct event		*each_second, *resting, *working;
	int			 clock;	/* timerfd: readable each second */
	struct event		*on_term, *on_int, *on_hup;
	struct listener		 listener[LISTENERS];
	int			 nlisteners;
	struct clients		 clients;
	struct workers		*workers; /* NULL: the map does not block */
	long long		 logged_full; /* clock_ms() of the last one */
	server_reload_fn	*reload;
	void			*reload_arg;
};

/* Once a minute. */
static void
log_full(struct server *srv, const char *why)
{
	if (srv->logged_full != 0 && clock_ms() - srv->logged_full < 60000)
		return;
	srv->logged_full = clock_ms();
	log_why(LOG_WARNING, "full", why);
}

static void
on_closed(void *arg)
{
	(void)arg;
}

/* Answer `busy` and close.  An LDA that waited in the backlog would defer, too,
 * but later. */
static void
turn_away(const struct listener *ls, int fd, const char *why)
{
	const char *busy = ls->pr->busy;
	char text[200];
	int len;

	len = ls->pr->netstrings ? snprintf(text, sizeof(text), "%zu:%s,",
	    strlen(busy), busy) : snprintf(text, sizeof(text), "%s", busy);
	metrics_add(M_REFUSED, 1);
	log_full(ls->srv, why);
	(void)!send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	passed_close(fd, on_closed, NULL);
}

/*
 * A place for one more client: all for those who have kept places, the others
 * share the rest.  When there is none, the uid that has the most connections
 * loses the one that it has not used for the longest time.
 */
static bool
has_place(struct server *srv, const struct wire_peer *peer)
{
	struct clients *all = &srv->clients;
	int max = srv->conf->max_connections;

	if (all->n < max && (peer->kept || all->ordinary < max -
	    max / KEPT_SHARE))
		return true;
	return clients_make_place(all, peer->uid) && all->n < max;
}

static bool
has_too_many(const struct server *srv, const struct wire_peer *peer)
{
	const struct share *s = peer->kept ? NULL :
	    share_of(&srv->clients.shares, peer->uid);

	return s != NULL && s->n >= srv->conf->user_connections;
}

static void
welcome(const struct listener *ls, int fd)
{
	struct wire_peer peer;
	struct err err;

	passed_connection(fd);
	if (peer_of(fd, ls->srv->rules, &peer, &err) != ST_OK)
		passed_close(fd, on_closed, NULL);
	else if (has_too_many(ls->srv, &peer))
		turn_away(ls, fd, "a user has too many connections: the "
		    "user's next deliveries are deferred");
	else if (!has_place(ls->srv, &peer))
		turn_away(ls, fd, "max_connections reached: clients are asked "
		    "to try again");
	else
		client_welcome(&ls->srv->clients, fd, ls->pr, &peer);
}

static void
listen_again(struct server *srv, bool yes)
{
	int i;

	for (i = 0; i < srv->nlisteners; i++)
		if (yes)
			(void)event_add(srv->listener[i].ready, NULL);
		else
			(void)event_del(srv->listener[i].ready);
}

static void
on_listening(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval rest = { 0, EMFILE_REST * 1000 };
	const struct listener *ls = arg;
	struct server *srv = ls->srv;
	int i, new;

	(void)what;
	for (i = 0; i < ACCEPTS; i++) {
		new = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (new == -1 && (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS)) {
			log_full(srv, "no descriptors left: raise LimitNOFILE");
			listen_again(srv, false);
			(void)event_add(srv->resting, &rest);
		}
		if (new == -1)
			return;
		welcome(ls, new);
	}
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;

	(void)fd;
	(void)what;
	listen_again(srv, true);
}

/* One batch of the map's waiting work; clients are served before the next. */
static void
on_working(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval breath = { 0, 200 };
	struct server *srv = arg;
	enum status st = ST_NONE;
	struct err err;

	(void)fd;
	(void)what;
	if (srv->map->ops->tick != NULL && srv->workers == NULL)
		st = srv->map->ops->tick(srv->map, &err);
	if (st == ST_OK)
		(void)event_add(srv->working, &breath);
	else if (st != ST_NONE)		/* on_second tries again */
		log_why(LOG_ERR, "unfinished", err.text);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;
	uint64_t ticks;

	(void)!read(fd, &ticks, sizeof(ticks));
	notify_alive();
	on_working(fd, what, srv);
	if (srv->workers != NULL)
		workers_second(srv->workers);
	passed_reap();
	clients_drop_idle(&srv->clients, clock_ms() -
	    srv->conf->idle_timeout * 1000LL);
}

static void
log_change(const struct change *ch)
{
	struct logline l;

	log_begin(&l, LOG_INFO, ch->is == NULL ? "deleted" : "changed");
	log_str(&l, "user", ch->user);
	log_str(&l, "from", ch->was == NULL ? "none" :
	    state_name(ch->was->state));
	if (ch->is != NULL) {
		log_str(&l, "to", state_name(ch->is->state));
		log_num(&l, "version", (long long)ch->is->version);
	}
	log_str(&l, "by", ch->by.by);
	log_str(&l, "why", ch->by.why);
	log_end(&l);
}

/* Each change is logged, counted, and sent to the watchers. */
static enum status
on_change(const struct change *ch, void *arg, struct err *err)
{
	struct server *srv = arg;
	struct client *cl, *next;
	size_t alen;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *answer = wire_change(ctx, ch, &alen);

	(void)err;
	metrics_add(M_CHANGES, 1);
	if (srv->workers == NULL)	/* else the copy counts the users */
		metrics_user(ch->was, ch->is);
	if (!ch->imported)		/* an import may have 100,000 */
		log_change(ch);
	for (cl = TAILQ_FIRST(&srv->clients.list); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		if (cl->watching)
			client_send(cl, answer, alen);
	}
	talloc_free(ctx);
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
	if (srv->workers != NULL)
		workers_renew(srv->workers);
	log_why(LOG_INFO, "reloaded", conf->path);
	notify_reloaded();
}

/* A socket at which no process answers was left by a crash. */
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
listen_at(struct listener *ls, const char *path, mode_t mode, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char *copy = must(talloc_strdup(ls->srv, path));
	const char *dir = dirname(copy);

	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		return err_sys(err, "mkdir %s", dir);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	ls->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ls->fd == -1)
		return err_sys(err, "socket");
	if (is_answered(&addr))
		return err_set(err, ST_AGAIN,
		    "%s: another mailferry-mapd answers there", path);
	(void)unlink(path);
	if (bind(ls->fd, (struct sockaddr *)&addr, sizeof(addr)) == -1)
		return err_sys(err, "bind %s", path);
	ls->path = must(talloc_strdup(ls->srv, path));
	passed_listener(ls->fd);
	if (chmod(path, mode) == -1 || listen(ls->fd, BACKLOG) == -1)
		return err_sys(err, "listen at %s", path);
	return ST_OK;
}

/* The end of the process closes it: clients that nobody accepted can have
 * passed descriptors (passed.h), and an exit does not sleep in a close. */
static void
close_listener(struct listener *ls)
{
	if (ls->path != NULL)
		(void)unlink(ls->path);
	if (ls->ready != NULL)
		event_free(ls->ready);
}

static int
server_destroy(struct server *srv)
{
	struct event **const all[] = { &srv->each_second, &srv->resting,
	    &srv->working, &srv->on_term, &srv->on_int, &srv->on_hup };
	size_t i;

	srv->map->changed = NULL;
	for (i = 0; i < LISTENERS; i++)
		close_listener(&srv->listener[i]);
	while (!TAILQ_EMPTY(&srv->clients.list))
		client_drop(TAILQ_FIRST(&srv->clients.list));
	talloc_free(srv->workers);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (*all[i] != NULL)
			event_free(*all[i]);
	if (srv->clock != -1)
		(void)close(srv->clock);
	if (srv->base != NULL)
		event_base_free(srv->base);
	return 0;
}

/*
 * The clock is a descriptor, no timer of the loop: with one of those the loop
 * waits with a time-out, and for each wait the kernel sets up a timer and
 * takes it down again.
 */
static enum status
make_clock(struct server *srv, struct err *err)
{
	static const struct itimerspec second = { { 1, 0 }, { 1, 0 } };

	srv->clock = timerfd_create(CLOCK_MONOTONIC,
	    TFD_NONBLOCK | TFD_CLOEXEC);
	if (srv->clock == -1 ||
	    timerfd_settime(srv->clock, 0, &second, NULL) == -1)
		return err_sys(err, "timerfd");
	srv->each_second = must(event_new(srv->base, srv->clock,
	    EV_READ | EV_PERSIST, on_second, srv));
	(void)event_add(srv->each_second, NULL);
	return ST_OK;
}

static enum status
make_events(struct server *srv, struct err *err)
{
	srv->base = srv->clients.base = must(event_base_new());
	srv->resting = must(evtimer_new(srv->base, on_rested, srv));
	srv->working = must(evtimer_new(srv->base, on_working, srv));
	srv->on_term = must(evsignal_new(srv->base, SIGTERM, on_end, srv));
	srv->on_int = must(evsignal_new(srv->base, SIGINT, on_end, srv));
	srv->on_hup = must(evsignal_new(srv->base, SIGHUP, on_hup, srv));
	(void)event_add(srv->on_term, NULL);
	(void)event_add(srv->on_int, NULL);
	(void)event_add(srv->on_hup, NULL);
	return make_clock(srv, err);
}

/* The users at the start; on_change() counts from there. */
static enum status
count_user(const struct record *rec, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	metrics_user(NULL, rec);
	return ST_OK;
}

enum status
server_new(TALLOC_CTX *ctx, const struct conf *conf, struct map *map,
    struct server **out, struct err *err)
{
	struct server *srv = must(talloc_zero(ctx, struct server));
	enum status st;
	int i;

	srv->conf = conf;
	srv->map = srv->clients.map = map;
	TAILQ_INIT(&srv->clients.list);
	shares_init(&srv->clients.shares);
	srv->clock = -1;
	for (i = 0; i < LISTENERS; i++)
		srv->listener[i].fd = -1;
	talloc_set_destructor(srv, server_destroy);
	st = peer_rules(srv, conf, &srv->rules, err);
	if (st != ST_OK) {
		talloc_free(srv);
		return st;
	}
	/* If the map cannot be listed, each answer says so. */
	metrics_set(M_WHOLE, map->ops->workers != NULL ||
	    map_each(map, count_user, NULL, err) == ST_OK);
	map->changed = on_change;
	map->changed_arg = srv;
	st = make_events(srv, err);
	if (st == ST_OK && map->ops->workers != NULL) {
		st = workers_new(srv, srv->base, map, on_change, srv,
		    &srv->workers, err);
		srv->clients.workers = srv->workers;
	}
	if (st != ST_OK)
		talloc_free(srv);
	else
		*out = srv;
	return st;
}

enum status
server_listen(struct server *srv, const struct protocol *pr, const char *path,
    mode_t mode, struct err *err)
{
	struct listener *ls = &srv->listener[srv->nlisteners];
	enum status st;

	ls->srv = srv;
	ls->pr = pr;
	st = listen_at(ls, path, mode, err);
	if (st != ST_OK)
		return st;
	srv->nlisteners++;
	ls->ready = must(event_new(srv->base, ls->fd, EV_READ | EV_PERSIST,
	    on_listening, ls));
	(void)event_add(ls->ready, NULL);
	return ST_OK;
}

/* Send the answers that are ready, as far as that goes without waiting. */
static void
last_answers(struct server *srv)
{
	struct client *cl, *next;

	for (cl = TAILQ_FIRST(&srv->clients.list); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		(void)client_flush(cl);
	}
}

enum status
server_run(struct server *srv, server_reload_fn *reload, void *arg,
    struct err *err)
{
	bool more = false;
	int rc = 0;

	srv->reload = reload;
	srv->reload_arg = arg;
	srv->map->rests = true;
	while (rc == 0 && !event_base_got_break(srv->base)) {
		rc = event_base_loop(srv->base, EVLOOP_ONCE |
		    (more ? EVLOOP_NONBLOCK : 0));
		more = clients_serve(&srv->clients);
		map_rest(srv->map);
	}
	srv->map->rests = false;
	if (rc == -1)
		return err_set(err, ST_AGAIN, "the event loop failed");
	last_answers(srv);
	return ST_OK;
}
