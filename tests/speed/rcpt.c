/* SPDX-License-Identifier: ISC */
/*
 * rcpt.c - recipients to a milter as fast as it answers
 *
 *	rcpt SOCKET CONNECTIONS SECONDS USERS
 *
 * Speaks the protocol as smtpd(8) does: options, then macros and RCPT in one
 * write, one recipient under way on each connection, userN@example.test.  N is
 * any of USERS; USERS below zero: each of -USERS in turn, so that none comes
 * again soon.  Prints answers per second and the 99th percentile of the time
 * to an answer, in microseconds.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 4000000

struct conn { int fd; long asked; size_t len; char buf[1024]; };

static long *sample;
static long nsample;

static long
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static size_t
packet(char *out, char cmd, const char *data, size_t len)
{
	uint32_t n = htonl((uint32_t)len + 1);

	memcpy(out, &n, 4);
	out[4] = cmd;
	memcpy(out + 5, data, len);
	return len + 5;
}

static void
ask(struct conn *c, long users)
{
	static long next;
	char data[300], out[600];
	long user = users > 0 ? rand() % users : next++ % -users;
	size_t len;
	int n;

	n = sprintf(data,
	    "R{rcpt_addr}%cuser%ld@example.test%c{rcpt_mailer}%clocal%c"
	    "{client_addr}%c127.0.0.1%c{mail_addr}%csender@client.test%c",
	    0, user, 0, 0, 0, 0, 0, 0, 0);
	len = packet(out, 'D', data, (size_t)n);
	n = sprintf(data, "<user%ld@example.test>%c", user, 0);
	len += packet(out + len, 'R', data, (size_t)n);
	c->asked = now();
	c->len = 0;
	if (send(c->fd, out, len, 0) != (ssize_t)len)
		exit(1);
}

/* A whole packet: its command; 0: not yet. */
static char
answer(struct conn *c)
{
	uint32_t n;
	ssize_t r = recv(c->fd, c->buf + c->len, sizeof(c->buf) - c->len, 0);

	if (r <= 0) {
		fprintf(stderr, "the milter hung up\n");
		exit(1);
	}
	c->len += (size_t)r;
	memcpy(&n, c->buf, 4);
	return c->len >= 5 && c->len >= 4 + ntohl(n) ? c->buf[4] : 0;
}

static struct conn *
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uint32_t opt[3] = { htonl(6), htonl(0x1ff), htonl(0x1fffff) };
	struct conn *c = calloc(1, sizeof(*c));
	char out[20];
	size_t len;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		exit(1);
	len = packet(out, 'O', (char *)opt, sizeof(opt));
	if (send(c->fd, out, len, 0) != (ssize_t)len)
		exit(1);
	while (answer(c) == 0)
		continue;
	return c;
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
	struct rlimit rl = { 4096, 4096 };
	struct epoll_event ev = { .events = EPOLLIN }, evs[64];
	int ep = epoll_create1(0), conns, i, n;
	long end, begin, answers = 0, users;
	struct conn **c;
	char cmd;

	if (argc != 5)
		return 2;
	setrlimit(RLIMIT_NOFILE, &rl);
	conns = atoi(argv[2]);
	users = atol(argv[4]);
	sample = malloc(SAMPLES * sizeof(long));
	c = calloc((size_t)conns, sizeof(*c));
	for (i = 0; i < conns; i++) {
		ev.data.ptr = c[i] = dial(argv[1]);
		epoll_ctl(ep, EPOLL_CTL_ADD, c[i]->fd, &ev);
	}
	for (i = 0; i < conns; i++)
		ask(c[i], users);
	begin = now();
	end = begin + atol(argv[3]) * 1000000000L;
	while (now() < end) {
		n = epoll_wait(ep, evs, 64, 1000);
		for (i = 0; i < n; i++) {
			struct conn *p = evs[i].data.ptr;

			cmd = answer(p);
			if (cmd == 0)
				continue;
			if (cmd != 'c') {
				fprintf(stderr, "answered %c\n", cmd);
				return 1;
			}
			if (nsample < SAMPLES)
				sample[nsample++] = now() - p->asked;
			answers++;
			ask(p, users);
		}
	}
	qsort(sample, (size_t)nsample, sizeof(long), compare);
	printf("%.0f %.1f\n", (double)answers * 1e9 / (double)(now() - begin),
	    (double)sample[nsample * 99 / 100] / 1000);
	return 0;
}
