/* SPDX-License-Identifier: ISC */
/*
 * server.c - the least that can answer from a tdb: epoll, netstrings, tdb_fetch
 *
 *	server SOCKET TDB KEY-PREFIX [COUNT VALUE]
 *
 * COUNT: the TDB is made first, with VALUE for KEY-PREFIX.userN@example.test.
 * Answers `get NAME` with OK, LF and what KEY-PREFIX.NAME has, and a request
 * with any other word with OK, a blank and that, as a socketmap does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <tdb.h>
#include <unistd.h>

struct peer { int fd; size_t len; char buf[8192]; };

static struct tdb_context *tdb;
static const char *prefix;

static int
answer(struct peer *p)
{
	char *end, *colon, *name, key[300], out[8192];
	size_t n, used, len;
	TDB_DATA v;

	while (p->len > 0 && (colon = memchr(p->buf, ':', p->len)) != NULL) {
		n = strtoul(p->buf, &end, 10);
		used = (size_t)(colon - p->buf) + n + 2;
		if (end != colon || used > sizeof(p->buf))
			return -1;
		if (p->len < used)
			break;
		name = memchr(colon, ' ', n);
		if (name == NULL)
			return -1;
		name++;
		len = (size_t)snprintf(key, sizeof(key), "%s%.*s", prefix,
		    (int)(n - (size_t)(name - colon - 1)), name);
		v = tdb_fetch(tdb, (TDB_DATA){ (unsigned char *)key, len });
		len = v.dptr == NULL ? 0 : v.dsize;
		n = (size_t)snprintf(out, sizeof(out), "%zu:OK%c", len + 3,
		    strncmp(colon, ":get ", 5) == 0 ? '\n' : ' ');
		memcpy(out + n, v.dptr, len);
		out[n + len] = ',';
		free(v.dptr);
		if (send(p->fd, out, n + len + 1, MSG_NOSIGNAL) == -1)
			return -1;
		memmove(p->buf, p->buf + used, p->len - used);
		p->len -= used;
	}
	return 0;
}

static void
fill(int count, const char *value)
{
	char key[300];
	int i, len;

	for (i = 0; i < count; i++) {
		len = snprintf(key, sizeof(key), "%suser%d@example.test",
		    prefix, i);
		tdb_store(tdb, (TDB_DATA){ (unsigned char *)key, (size_t)len },
		    (TDB_DATA){ (unsigned char *)(uintptr_t)value,
		    strlen(value) },
		    TDB_REPLACE);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct epoll_event ev, evs[64];
	int lfd, ep = epoll_create1(0), i, n;
	struct peer *p;
	ssize_t r;

	if (argc != 4 && argc != 6)
		return 2;
	prefix = argv[3];
	tdb = tdb_open(argv[2], argc == 6 ? 10007 : 0, TDB_INCOMPATIBLE_HASH,
	    argc == 6 ? O_RDWR | O_CREAT : O_RDWR, 0600);
	if (argc == 6 && tdb != NULL)
		fill(atoi(argv[4]), argv[5]);
	lfd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	if (tdb == NULL ||
	    bind(lfd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(lfd, 1024) == -1)
		return 1;
	chmod(argv[1], 0666);
	ev = (struct epoll_event){ .events = EPOLLIN, .data.ptr = NULL };
	epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev);
	for (;;) {
		n = epoll_wait(ep, evs, 64, -1);
		for (i = 0; i < n; i++) {
			p = evs[i].data.ptr;
			if (p == NULL) {
				p = calloc(1, sizeof(*p));
				p->fd = accept(lfd, NULL, NULL);
				ev.data.ptr = p;
				epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &ev);
				continue;
			}
			r = recv(p->fd, p->buf + p->len,
			    sizeof(p->buf) - p->len, 0);
			if (r > 0)
				p->len += (size_t)r;
			if (r <= 0 || answer(p) == -1) {
				close(p->fd);
				free(p);
			}
		}
	}
}
