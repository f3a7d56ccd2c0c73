/* SPDX-License-Identifier: ISC */
/*
 * map_socket.c - the map, asked of mailferry-mapd
 *
 * The LDA asks for every message: it keeps one connection for all its
 * questions, and each costs one write and one read.
 */
#include "maps/backend.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "maps/base/clock.h"
#include "maps/base/netstring.h"
#include "maps/change.h"
#include "maps/wire.h"

#define PATIENCE	10000		/* ms for an answer; mapd needs µs */

struct client {
	const char	*path;
	int		 fd;		/* -1: not connected */
	char		*buf;		/* what was read */
	size_t		 len, size;
};

static void
hang_up(struct client *c)
{
	if (c->fd != -1)
		(void)close(c->fd);
	c->fd = -1;
	c->len = 0;
}

static enum status
cannot(const struct client *c, const char *why, struct err *err)
{
	return err_set(err, ST_AGAIN,
	    "map: cannot ask mailferry-mapd at %s: %s", c->path, why);
}

static enum status
dial(struct client *c, int ms, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return cannot(c, strerror(errno), err);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", c->path);
	/* Neither a full backlog nor a full buffer may block for longer. */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return ST_OK;
	(void)cannot(c, strerror(errno), err);
	hang_up(c);
	return ST_AGAIN;
}

static int
send_request(struct client *c, const char *request, size_t len)
{
	char head[NETSTRING_OVERHEAD];
	struct iovec iov[3] = {
		{ head, netstring_head(head, len) },
		{ (char *)(uintptr_t)request, len }, { (char *)",", 1 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	size_t all = iov[0].iov_len + len + 1;

	return sendmsg(c->fd, &msg, MSG_NOSIGNAL) == (ssize_t)all ? 0 : -1;
}

/* Read once, until `end` in clock_ms(), -1: for ever.  0: the peer closed. */
static ssize_t
receive(struct client *c, long long end)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	long long left = end - clock_ms();
	int rc;

	if (c->size - c->len < 4096) {
		c->size = c->size * 2 + 8192;
		c->buf = must(talloc_realloc_size(c, c->buf, c->size));
	}
	rc = poll(&pfd, 1, end == -1 ? -1 : left < 0 ? 0 : (int)left);
	if (rc == 0)
		errno = ETIMEDOUT;
	if (rc != 1)
		return -1;
	return recv(c->fd, c->buf + c->len, c->size - c->len, 0);
}

/* The next whole answer; *answer lives until the next call. */
static enum status
next_answer(struct client *c, long long end, char **answer, size_t *alen,
    size_t *used, struct err *err)
{
	const char *p;
	enum status st;
	ssize_t n;

	for (;;) {
		st = netstring_parse(c->buf, c->len, WIRE_ANSWER_MAX, &p, alen,
		    used);
		if (st == ST_OK) {
			*answer = c->buf + (p - c->buf);
			return ST_OK;
		}
		if (st == ST_NEVER) {
			hang_up(c);
			return cannot(c, "it does not speak our protocol", err);
		}
		n = receive(c, end);
		if (n <= 0) {
			st = cannot(c, n == 0 ? "it closed the connection" :
			    strerror(errno), err);
			hang_up(c);
			return n == 0 ? ST_NONE : st;
		}
		c->len += (size_t)n;
	}
}

static void
consume(struct client *c, size_t used)
{
	memmove(c->buf, c->buf + used, c->len - used);
	c->len -= used;
}

/*
 * Ask.  If a kept connection was closed meanwhile (mapd was restarted, or
 * dropped an idle client), the question is sent once more on a new one; not
 * with `once`, for what must not be done twice.  body is a talloc child of ctx
 * with a NUL after it.
 */
static enum status
ask(struct map *map, TALLOC_CTX *ctx, const char *request, size_t len,
    bool once, char **body, size_t *blen, struct err *err)
{
	struct client *c = map->handle;
	int ms = map->patience > 0 ? map->patience : PATIENCE;
	bool kept = c->fd != -1;
	const char *b = NULL;
	size_t alen, used, bl = 0;
	enum status st;
	char *answer;

	st = kept ? ST_OK : dial(c, ms, err);
	if (st != ST_OK)
		return st;
	if (send_request(c, request, len) == -1) {
		st = cannot(c, strerror(errno), err);
		hang_up(c);
		return kept ? ask(map, ctx, request, len, once, body, blen,
		    err) : st;
	}
	st = next_answer(c, clock_ms() + ms, &answer, &alen, &used,
	    err);
	if (st == ST_NONE)		/* closed, and perhaps done */
		return kept && !once ? ask(map, ctx, request, len, once, body,
		    blen, err) : ST_AGAIN;
	if (st != ST_OK)
		return st;
	st = wire_result(answer, alen, &b, &bl, err);
	if (st == ST_OK) {
		*body = must(talloc_strndup(ctx, b, bl));
		*blen = bl;
	}
	consume(c, used);
	return st;
}

/* Ask `VERB USER MORE` for a record. */
static enum status
ask_record(struct map *map, TALLOC_CTX *ctx, const char *verb,
    const char *user, const char *more, struct record **rec, struct err *err)
{
	char request[RECORD_USER_MAX + 32], *body = NULL;
	enum status st;
	size_t blen;
	int len;

	len = snprintf(request, sizeof(request), "%s %s%s", verb, user, more);
	st = ask(map, ctx, request, (size_t)len, false, &body, &blen, err);
	if (st != ST_OK)
		return st;
	st = record_parse(ctx, user, body, blen, rec, err);
	talloc_free(body);
	/* An answer that is wrong now may be right the next time. */
	return st == ST_NEVER ? ST_AGAIN : st;
}

static enum status
socket_get(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	return ask_record(map, ctx, "get", user, "", rec, err);
}

static enum status
socket_get_late(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	return ask_record(map, ctx, "get", user, WIRE_LATE, rec, err);
}

static enum status
socket_get_stored(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	return ask_record(map, ctx, "stored", user, "", rec, err);
}

/* `head` and what replace and put have in common after it (wire.h). */
static char *
change_request(TALLOC_CTX *ctx, char *head, const struct change_by *by,
    const struct record *is)
{
	return must(talloc_asprintf(ctx, "%s%lld\n%s\n%s\n%s", head,
	    (long long)by->at, record_escape(ctx, by->by),
	    record_escape(ctx, by->why), is == NULL ? "" :
	    record_format(ctx, is)));
}

static enum status
socket_replace(struct map *map, const struct record *was,
    const struct record *is, const struct change_by *by, uint64_t *version,
    struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *request, *body = NULL;
	enum status st;
	size_t blen;

	request = change_request(ctx, must(talloc_asprintf(ctx,
	    "replace %s %llu ", is != NULL ? is->user : was->user,
	    (unsigned long long)(was == NULL ? 0 : was->version))), by, is);
	st = ask(map, ctx, request, strlen(request), true, &body, &blen, err);
	if (st == ST_OK && version != NULL)
		*version = strtoull(body, NULL, 10);
	if (st == ST_NONE)
		st = err_set(err, ST_AGAIN, "there is no such record any more");
	talloc_free(ctx);
	return st;
}

/* Ask with one word for one word; *answer is a talloc child of ctx. */
static enum status
ask_word(struct map *map, TALLOC_CTX *ctx, const char *verb, const char *word,
    char **answer, struct err *err)
{
	char *request = must(talloc_asprintf(ctx, "%s %s", verb, word));
	enum status st;
	size_t len;

	st = ask(map, ctx, request, strlen(request), false, answer, &len, err);
	talloc_free(request);
	return st;
}

static enum status
socket_by_address(struct map *map, TALLOC_CTX *ctx, const char *addr,
    char **user, struct err *err)
{
	return ask_word(map, ctx, "address", addr, user, err);
}

static enum status
socket_import_begin(struct map *map, TALLOC_CTX *ctx, char **id,
    struct err *err)
{
	return ask_word(map, ctx, "begin", "", id, err);
}

static enum status
socket_import_put(struct map *map, const char *id, uint64_t was_version,
    const struct record *is, const struct change_by *by, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *request, *body = NULL;
	enum status st;
	size_t blen;

	request = change_request(ctx, must(talloc_asprintf(ctx,
	    "put %s %s %llu\n", id, is->user,
	    (unsigned long long)was_version)), by, is);
	st = ask(map, ctx, request, strlen(request), true, &body, &blen, err);
	talloc_free(ctx);
	return st;
}

static enum status
socket_import_commit(struct map *map, const char *id, uint64_t *left,
    struct err *err)
{
	char *answer = NULL;
	enum status st;

	st = ask_word(map, map->handle, "commit", id, &answer, err);
	if (st == ST_OK)
		*left = strtoull(answer, NULL, 10);
	talloc_free(answer);
	return st;
}

static enum status
socket_import_abort(struct map *map, const char *id, struct err *err)
{
	char *answer = NULL;
	enum status st;

	st = ask_word(map, map->handle, "abort", id, &answer, err);
	talloc_free(answer);
	return st;
}

/* The next `LENGTH LF BYTES` of a body; false at its end. */
static bool
next_text(char **body, char **text, size_t *len)
{
	char *lf;

	*len = strtoul(*body, &lf, 10);
	if (**body < '0' || **body > '9' || *lf != '\n' ||
	    strnlen(lf + 1, *len) < *len)
		return false;
	*text = lf + 1;
	*body = *text + *len;
	return true;
}

/* A part of an answer must never be taken for the whole. */
static enum status
not_whole(struct err *err)
{
	return err_set(err, ST_AGAIN, "map: an answer that is not whole");
}

/* A record whose user is not known before. */
static enum status
parse_any(TALLOC_CTX *ctx, const char *text, size_t len, struct record **rec,
    struct err *err)
{
	char *copy = must(talloc_strndup(ctx, text, len)), *user;
	enum status st;

	user = strstr(copy, "\nuser ");
	if (user == NULL)
		return err_set(err, ST_AGAIN, "map: a record without user");
	user += 6;
	user[strcspn(user, "\n")] = '\0';
	st = record_parse(ctx, user, text, len, rec, err);
	talloc_free(copy);
	return st;
}

static enum status
give_record(TALLOC_CTX *ctx, char *text, size_t len, map_each_fn *fn, void *arg,
    struct err *err)
{
	struct record *rec;
	enum status st;

	st = parse_any(ctx, text, len, &rec, err);
	return st == ST_OK ? fn(rec, arg, err) : st;
}

static enum status
socket_each(struct map *map, TALLOC_CTX *ctx, char **cursor, map_each_fn *fn,
    void *arg, struct err *err)
{
	TALLOC_CTX *mine = must(talloc_new(NULL));
	char *request, *body = NULL, *lf, *text;
	enum status st;
	size_t len;

	request = must(talloc_asprintf(mine, "each %s", *cursor));
	st = ask(map, mine, request, strlen(request), false, &body, &len, err);
	lf = st == ST_OK ? strchr(body, '\n') : NULL;
	if (st == ST_OK && lf == NULL)
		st = not_whole(err);
	if (st == ST_OK) {
		*lf = '\0';
		talloc_free(*cursor);
		*cursor = must(talloc_strdup(ctx, body));
		for (body = lf + 1; st == ST_OK && next_text(&body, &text,
		    &len);) {
			TALLOC_CTX *one = must(talloc_new(mine));

			st = give_record(one, text, len, fn, arg, err);
			talloc_free(one);
		}
		if (st == ST_OK && *body != '\0')
			st = not_whole(err);
	}
	talloc_free(mine);
	return st;
}

static enum status
give_changes(TALLOC_CTX *ctx, char *body, map_change_fn *fn, void *arg,
    struct err *err)
{
	struct change ch;
	enum status st = ST_OK;
	size_t len;
	char *text;

	while (st == ST_OK && next_text(&body, &text, &len)) {
		st = change_parse(ctx, text, len, &ch, NULL, err);
		if (st == ST_OK)
			st = fn(&ch, arg, err);
	}
	return st == ST_OK && *body != '\0' ? not_whole(err) : st;
}

static enum status
socket_history(struct map *map, const char *user, int limit,
    map_change_fn *fn, void *arg, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *request, *body = NULL;
	enum status st;
	size_t len;

	request = must(talloc_asprintf(ctx, "history %s %d", user == NULL ?
	    "*" : strcmp(user, RECORD_DEFAULT) == 0 ? "**" : user, limit));
	st = ask(map, ctx, request, strlen(request), false, &body, &len, err);
	if (st == ST_OK)
		st = give_changes(ctx, body, fn, arg, err);
	talloc_free(ctx);
	return st == ST_NONE ? ST_OK : st;
}

static enum status
socket_watch(struct map *map, map_change_fn *fn, void *arg, struct err *err)
{
	struct client *c = map->handle;
	size_t alen, used, blen;
	char *answer, *body = NULL;
	const char *b;
	enum status st;

	st = ask(map, c, "watch", 5, false, &body, &blen, err);
	if (st == ST_OK)
		st = fn(NULL, arg, err);
	while (st == ST_OK) {
		TALLOC_CTX *ctx = must(talloc_new(NULL));

		st = next_answer(c, -1, &answer, &alen, &used, err);
		if (st == ST_OK)
			st = wire_result(answer, alen, &b, &blen, err);
		if (st == ST_OK) {
			body = must(talloc_strndup(ctx, b, blen));
			consume(c, used);
			st = give_changes(ctx, body, fn, arg, err);
		}
		talloc_free(ctx);
	}
	return st == ST_NONE ? ST_OK : st;
}

/* The answer names the user. */
static enum status
socket_recipient(struct map *map, TALLOC_CTX *ctx, const char *address,
    size_t len, bool local, struct record **rec, struct err *err)
{
	char *request, *body = NULL;
	enum status st;
	size_t blen;

	request = must(talloc_asprintf(ctx, "recipient %s\n%.*s", local ?
	    "local" : "any", (int)len, address));
	st = ask(map, ctx, request, strlen(request), false, &body, &blen, err);
	talloc_free(request);
	if (st != ST_OK)
		return st;
	st = parse_any(ctx, body, blen, rec, err);
	talloc_free(body);
	return st == ST_NEVER ? ST_AGAIN : st;
}

static int
client_destroy(struct client *c)
{
	hang_up(c);
	return 0;
}

static enum status
socket_open(struct map *map, const char *arg, int flags, struct err *err)
{
	struct client *c = must(talloc_zero(map, struct client));

	(void)flags;
	(void)err;
	c->path = must(talloc_strdup(c, arg));
	c->fd = -1;
	talloc_set_destructor(c, client_destroy);
	map->handle = c;
	map->settled = true;
	return ST_OK;
}

static void
socket_close(struct map *map)
{
	talloc_free(map->handle);
	map->handle = NULL;
}

const struct map_ops map_socket = {
	.scheme = "socket", .open = socket_open, .close = socket_close,
	.get = socket_get, .get_late = socket_get_late,
	.get_stored = socket_get_stored, .replace = socket_replace,
	.each = socket_each,
	.history = socket_history, .watch = socket_watch,
	.by_address = socket_by_address, .recipient = socket_recipient,
	.import_begin = socket_import_begin,
	.import_put = socket_import_put, .import_commit = socket_import_commit,
	.import_abort = socket_import_abort,
};
