/* SPDX-License-Identifier: ISC */
/*
 * socket_fuzz.c - answers of a mailferry-mapd that is out of its mind
 *
 * Input: QUESTION `raw` or `net` LF ANSWER.  With `net` the answer is made a
 * netstring; the peer closes behind it.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int	fuzz_connect(int fd);

#define connect(fd, addr, len) ((void)(addr), fuzz_connect(fd))
#include "maps/map_socket.c"
#undef connect

static const char *answer;
static size_t answer_len;

/*
 * In the place of the connection: a pair, the answer written, one end closed.
 */
static int
fuzz_connect(int fd)
{
	int pair[2];

	HOLDS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	HOLDS(write(pair[1], answer, answer_len) == (ssize_t)answer_len);
	HOLDS(dup2(pair[0], fd) == fd);
	HOLDS(shutdown(pair[1], SHUT_WR) == 0);
	(void)close(pair[0]);
	/*
	 * The question must not meet a closed door; one of our own at a time.
	 */
	static int former = -1;

	if (former != -1)
		(void)close(former);
	former = pair[1];
	return 0;
}

struct counting {
	size_t	 n;
};

static enum status
count(const struct record *rec, void *arg, struct err *err)
{
	(void)err;
	HOLDS(record_user_valid(rec->user) ||
	    strcmp(rec->user, RECORD_DEFAULT) == 0);
	((struct counting *)arg)->n++;
	return ST_OK;
}

static enum status
see(const struct change *ch, void *arg, struct err *err)
{
	(void)err;
	if (ch == NULL)			/* from here on nothing is missed */
		return ST_OK;
	HOLDS(ch->user != NULL);
	((struct counting *)arg)->n++;
	return ST_OK;
}

/* How many texts a body has; -1 where it is not texts to its end. */
static int
texts_in(const char *p, const char *end)
{
	int n;

	for (n = 0; p < end; n++) {
		size_t len = 0;

		if (*p < '0' || *p > '9')
			return -1;
		for (; p < end && *p >= '0' && *p <= '9' && len < 1000000; p++)
			len = len * 10 + (size_t)(*p - '0');
		if (p == end || *p++ != '\n' || (size_t)(end - p) < len)
			return -1;
		p += len;
	}
	return n;
}

/* A body that is not whole must not pass for the whole map. */
static void
check_texts(enum status st, const char *body, size_t len, bool cursor,
    size_t given)
{
	const char *lf = body;
	int n;

	if (st != ST_OK || len < 3 || memcmp(body, "OK\n", 3) != 0)
		return;
	body += 3;
	len -= 3;
	if (cursor) {
		lf = len == 0 ? NULL : memchr(body, '\n', len);
		HOLDS(lf != NULL);
		len -= (size_t)(lf + 1 - body);
		body = lf + 1;
	}
	n = texts_in(body, body + len);
	HOLDS(n >= 0 && (size_t)n == given);
}

static enum status
question(struct map *map, TALLOC_CTX *ctx, const char *what, const char *body,
    size_t len, struct err *err)
{
	struct change_by by = { "me", 5, "why" };
	char *cursor = must(talloc_strdup(ctx, "")), *text = NULL;
	struct counting c = { 0 };
	struct record *rec = NULL;
	uint64_t n = 0;
	enum status st;

	if (strcmp(what, "each") == 0) {
		st = map->ops->each(map, ctx, &cursor, count, &c, err);
		check_texts(st, body, len, true, c.n);
	} else if (strcmp(what, "history") == 0) {
		st = map_history(map, "alice", 10, see, &c, err);
		check_texts(st, body, len, false, c.n);
	} else if (strcmp(what, "watch") == 0)
		st = map_watch(map, see, &c, err);
	else if (strcmp(what, "address") == 0) {
		st = map_by_address(map, ctx, "a@x.test", &text, err);
		HOLDS(st != ST_OK || text != NULL);
	} else if (strcmp(what, "commit") == 0)
		st = map_import_commit(map, "7", &n, err);
	else if (strcmp(what, "delete") == 0) {
		struct record was = { .user = "alice", .version = 3 };

		st = map_replace(map, &was, NULL, &by, &n, err);
		HOLDS(st != ST_NONE);
	} else {
		st = map_get(map, ctx, "alice", "/home/alice", 1700000000, &rec,
		    err);
		HOLDS(st != ST_NONE);
		if (st == ST_OK)
			HOLDS(strcmp(rec->user, "alice") == 0);
	}
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "map = tdb:/x\nold_mail = /old/%u\n";
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *line = fuzz_line(ctx, &in), *what = fuzz_word(&line), *framed;
	char head[NETSTRING_OVERHEAD];
	size_t len = (size_t)(in.end - in.p), hlen;
	struct conf *conf;
	struct map *map;
	enum status st;
	struct err err;

	if (len > 60000)
		len = 60000;
	answer = in.p;
	answer_len = len;
	if (strcmp(line, "raw") != 0) {
		hlen = netstring_head(head, len);
		framed = must(talloc_size(ctx, hlen + len + 1));
		memcpy(framed, head, hlen);
		memcpy(framed + hlen, in.p, len);
		framed[hlen + len] = ',';
		answer = framed;
		answer_len = hlen + len + 1;
	}
	HOLDS(conf_parse(ctx, "fuzz.conf", text, strlen(text), &conf, &err) ==
	    ST_OK);
	HOLDS(map_open(ctx, conf, 0, &map, &err) == ST_OK);
	st = question(map, ctx, what, strcmp(line, "raw") == 0 ? "" : in.p,
	    strcmp(line, "raw") == 0 ? 0 : len, &err);
	if (st == ST_AGAIN || st == ST_NEVER)
		fuzz_err(&err);
	talloc_free(ctx);
	return 0;
}
