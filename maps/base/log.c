/* SPDX-License-Identifier: ISC */
/*
 * log.c - one event, one line, for a person and for grep
 */
#include "maps/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum target { TO_SYSLOG, TO_STDERR, TO_NONE };

static const char *tag = "mailferry";
static enum target target = TO_SYSLOG;
static int max_level = LOG_INFO;
static int sock = -1;
static pthread_mutex_t sock_lock = PTHREAD_MUTEX_INITIALIZER;

int
log_open(const char *program, const char *to, int level)
{
	if (strcmp(to, "syslog") == 0)
		target = TO_SYSLOG;
	else if (strcmp(to, "stderr") == 0)
		target = TO_STDERR;
	else if (strcmp(to, "none") == 0)
		target = TO_NONE;
	else
		return -1;
	tag = program;
	max_level = level;
	return 0;
}

/* Append what fits; a line that is too long is cut, never split. */
static void
put(struct logline *l, const char *text, size_t len)
{
	size_t room = sizeof(l->text) - 1 - l->len;

	if (len > room)
		len = room;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

void
log_begin(struct logline *l, int level, const char *event)
{
	l->level = level;
	l->len = 0;
	put(l, event, strlen(event));
}

static int
is_plain(const char *value)
{
	if (*value == '\0')
		return 0;
	for (; *value != '\0'; value++)
		if (*value <= ' ' || *value >= 0x7f || *value == '"' ||
		    *value == '\\')
			return 0;
	return 1;
}

static void
put_quoted(struct logline *l, const char *value)
{
	char hex[8];

	put(l, "\"", 1);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\') {
			put(l, "\\", 1);
			put(l, value, 1);
		} else if (*value < ' ' || *value >= 0x7f) {
			put(l, hex, (size_t)snprintf(hex, sizeof(hex),
			    "\\x%02x", (unsigned char)*value));
		} else
			put(l, value, 1);
	}
	put(l, "\"", 1);
}

void
log_str(struct logline *l, const char *key, const char *value)
{
	if (value == NULL)
		value = "";
	put(l, " ", 1);
	put(l, key, strlen(key));
	put(l, "=", 1);
	if (is_plain(value))
		put(l, value, strlen(value));
	else
		put_quoted(l, value);
}

void
log_num(struct logline *l, const char *key, long long value)
{
	char num[32];

	put(l, " ", 1);
	put(l, key, strlen(key));
	put(l, "=", 1);
	put(l, num, (size_t)snprintf(num, sizeof(num), "%lld", value));
}

static void
dial_syslog(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX,
	    .sun_path = "/dev/log" };

	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock != -1 &&
	    connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == -1) {
		(void)close(sock);
		sock = -1;
	}
}

/*
 * Our own few lines in place of syslog(3): that reads the time zone at each
 * start of a program and waits for a syslogd that hangs.  The time stamp is
 * left out: syslogd adds its own.
 */
static void
to_syslog(const struct logline *l)
{
	char text[sizeof(l->text) + 100];
	int len;

	len = snprintf(text, sizeof(text), "<%d>%s[%ld]: %s",
	    LOG_MAIL | l->level, tag, (long)getpid(), l->text);
	(void)pthread_mutex_lock(&sock_lock);
	if (sock == -1)
		dial_syslog();
	if (sock != -1 && send(sock, text, (size_t)len, MSG_NOSIGNAL) == -1 &&
	    errno != EAGAIN) {
		(void)close(sock);		/* of a former syslogd */
		sock = -1;
	}
	(void)pthread_mutex_unlock(&sock_lock);
}

void
log_end(struct logline *l)
{
	if (l->level > max_level)
		return;
	l->text[l->len] = '\0';
	switch (target) {
	case TO_SYSLOG:
		to_syslog(l);
		break;
	case TO_STDERR:
		dprintf(STDERR_FILENO, "%s[%ld]: %s\n", tag, (long)getpid(),
		    l->text);
		break;
	case TO_NONE:
		break;
	}
}

void
log_forked(void)
{
	sock = -1;
}

void
log_why(int level, const char *event, const char *why)
{
	struct logline l;

	log_begin(&l, level, event);
	log_str(&l, "why", why);
	log_end(&l);
}
