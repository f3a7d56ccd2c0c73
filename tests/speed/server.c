/*
 * server.c - the least that can answer from a tdb: epoll, netstrings, tdb_fetch
 *
 *	server SOCKET TDB KEY-PREFIX	answers `get NAME` with what KEY-PREFIX.NAME has
 */
#include <errno.h>
#include <fcntl.h>
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
	char *end, *colon, key[300], out[8192];
	size_t n, used, len;
	TDB_DATA v;

	while (p->len > 0 && (colon = memchr(p->buf, ':', p->len)) != NULL) {
		n = strtoul(p->buf, &end, 10);
		used = (size_t)(colon - p->buf) + n + 2;
		if (end != colon || used > sizeof(p->buf))
			return -1;
		if (p->len < used)
			break;
		if (n < 5)
			return -1;
		len = (size_t)snprintf(key, sizeof(key), "%s%.*s", prefix,
		    (int)n - 4, colon + 5);
		v = tdb_fetch(tdb, (TDB_DATA){ (unsigned char *)key, len });
		len = v.dptr == NULL ? 0 : v.dsize;
		n = (size_t)snprintf(out, sizeof(out), "%zu:OK\n", len + 3);
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

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct epoll_event ev, evs[64];
	int lfd, ep = epoll_create1(0), i, n;
	struct peer *p;
	ssize_t r;

	if (argc != 4)
		return 2;
	prefix = argv[3];
	tdb = tdb_open(argv[2], 0, TDB_INCOMPATIBLE_HASH, O_RDWR, 0600);
	lfd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	if (tdb == NULL || bind(lfd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
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
			r = recv(p->fd, p->buf + p->len, sizeof(p->buf) - p->len, 0);
			if (r > 0)
				p->len += (size_t)r;
			if (r <= 0 || answer(p) == -1) {
				close(p->fd);
				free(p);
			}
		}
	}
}
