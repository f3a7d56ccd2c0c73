/* SPDX-License-Identifier: ISC */
/*
 * load.c - questions to a server as fast as it answers
 *
 *	load SOCKET CONNECTIONS SECONDS|=ANSWERS USERS [BEFORE AFTER]
 *
 * One question under way on each connection: BEFORE (`get user`), a number
 * below USERS, AFTER (nothing).  It ends after so many seconds or answers,
 * and prints the answers per second and the 99th percentile of the time to
 * an answer, in microseconds.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 4000000

static const char *before = "get user", *after = "";
static long *sample;
static long nsample;

static long
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

struct conn { int fd; long asked; size_t len; char buf[8192]; };

static void
ask(struct conn *c, unsigned users)
{
	char q[64], ns[80];
	int n = snprintf(
	    q, sizeof(q), "%s%u%s", before, (unsigned)rand() % users, after);

	n = snprintf(ns, sizeof(ns), "%d:%s,", n, q);
	c->asked = now();
	c->len = 0;
	if (send(c->fd, ns, (size_t)n, 0) != n)
		exit(1);
}

static int
compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct epoll_event ev = { .events = EPOLLIN }, evs[64];
	int ep = epoll_create1(0), conns, i, n;
	long end, most, begin, answers = 0;
	unsigned users;
	struct conn *c;
	char *colon;
	ssize_t r;

	if (argc != 5 && argc != 7)
		return 2;
	if (argc == 7) {
		before = argv[5];
		after = argv[6];
	}
	conns = atoi(argv[2]);
	users = (unsigned)atoi(argv[4]);
	sample = malloc(SAMPLES * sizeof(long));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);
	for (i = 0; i < conns; i++) {
		c = calloc(1, sizeof(*c));
		c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
			return 1;
		ev.data.ptr = c;
		epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
		ask(c, users);
	}
	begin = now();
	most = argv[3][0] == '=' ? atol(argv[3] + 1) : LONG_MAX;
	end = most != LONG_MAX ? LONG_MAX : begin + atol(argv[3]) * 1000000000L;
	while (answers < most && now() < end) {
		n = epoll_wait(ep, evs, 64, 1000);
		for (i = 0; i < n; i++) {
			c = evs[i].data.ptr;
			r = recv(
			    c->fd, c->buf + c->len, sizeof(c->buf) - c->len, 0);
			if (r <= 0)
				return 1;
			c->len += (size_t)r;
			colon = memchr(c->buf, ':', c->len);
			if (colon == NULL ||
			    c->len < (size_t)(colon - c->buf) + 2 +
				    strtoul(c->buf, NULL, 10))
				continue;
			if (strncmp(colon, ":OK", 3) != 0)
				return 1;
			if (nsample < SAMPLES)
				sample[nsample++] = now() - c->asked;
			answers++;
			ask(c, users);
		}
	}
	qsort(sample, (size_t)nsample, sizeof(long), compare);
	printf("%.0f %.1f\n", (double)answers * 1e9 / (double)(now() - begin),
	    (double)sample[nsample * 99 / 100] / 1000);
	return 0;
}
