/* SPDX-License-Identifier: ISC */
/*
 * message.c - one message, read once from standard input
 */
#include "lda/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * Not a cryptographic hash.  A sender who makes two messages collide harms
 * only their recipient: both must carry a queue id of this host and be for one
 * mailbox.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "maps/base/file.h"

/* Fill the buffer, or reach the end. */
static enum status
fill(struct message *msg, struct err *err)
{
	ssize_t n;

	msg->len = 0;
	while (msg->len < MESSAGE_BUFFER) {
		n = read(msg->in, msg->buf + msg->len,
		    MESSAGE_BUFFER - msg->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(err, "read the message");
		if (n == 0) {
			msg->whole = true;
			break;
		}
		msg->len += (size_t)n;
	}
	return ST_OK;
}

bool
message_orphaned(void)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO };
	struct stat sb;

	if (fstat(STDOUT_FILENO, &sb) == -1 || !S_ISFIFO(sb.st_mode))
		return false;
	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLERR) != 0;
}

static enum status
sender_is_there(struct err *err)
{
	return message_orphaned() ? err_set(err, ST_AGAIN,
	    "the mail system that sent the message is gone") : ST_OK;
}

enum status
message_spool(int in, struct err *err)
{
	char buf[65536];
	enum status st;
	ssize_t n;
	int fd;

	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_sys(err, "a file in /var/tmp");
	while ((n = read(in, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || file_write(fd, buf, (size_t)n) == -1) {
			st = err_sys(err, "copy the message");
			goto out;
		}
	}
	st = sender_is_there(err);
	if (st == ST_OK && dup2(fd, in) == -1)
		st = err_sys(err, "dup");
out:
	(void)close(fd);
	return st;
}

/* `id TOKEN` as Postfix writes it into the Received header it puts on top. */
static bool
has_queue_id(const char *p, const char *end)
{
	const char *t;

	for (; end - p > 9; p++) {
		if (strchr(" \t\n", *p) == NULL ||
		    strncmp(p + 1, "id ", 3) != 0)
			continue;
		t = p + 4;
		while (t < end && ((*t >= '0' && *t <= '9') ||
		    (*t >= 'A' && *t <= 'Z') || (*t >= 'a' && *t <= 'z')))
			t++;
		if (t - (p + 4) >= 6 && t < end &&
		    strchr("; \t\r\n", *t) != NULL)
			return true;
	}
	return false;
}

/* The end of the header field that begins at p: behind its last LF. */
static const char *
field_end(const char *p, const char *end)
{
	do {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p == NULL ? end : p + 1;
	} while (p < end && (*p == ' ' || *p == '\t'));
	return p;
}

static bool
find_queue_id(const struct message *msg)
{
	const char *p = msg->buf + msg->body, *end = msg->buf + msg->len, *next;

	for (; p < end && *p != '\n' && *p != '\r'; p = next) {
		next = field_end(p, end);
		if (next - p > 9 && strncasecmp(p, "Received:", 9) == 0)
			return has_queue_id(p, next);
	}
	return false;
}

/* Add a piece to size, vsize and hash; *prev is the byte before it. */
static void
account(struct message *msg, const char *p, size_t len, char *prev)
{
	size_t i;

	(void)XXH3_128bits_update(msg->hash, p, len);
	msg->size += (off_t)len;
	msg->vsize += (off_t)len;
	for (i = 0; i < len; i++) {
		if (p[i] == '\n' && *prev != '\r')
			msg->vsize++;
		*prev = p[i];
	}
}

static void
close_account(struct message *msg)
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(msg->hash));
	memcpy(msg->digest, c.digest, sizeof(msg->digest));
}

/*
 * Take the From_ line off the buffer.  A line that does not end within the
 * buffer is not a From_ line but the beginning of the message.
 */
static const char *
take_from_line(struct message *msg)
{
	const char *lf = memchr(msg->buf, '\n', msg->len);
	char *line, *p;

	if (msg->len < 5 || memcmp(msg->buf, "From ", 5) != 0 ||
	    (lf == NULL && !msg->whole))
		return "";
	msg->body = lf != NULL ? (size_t)(lf - msg->buf) + 1 : msg->len;
	line = must(talloc_size(msg, msg->body + 1));
	memcpy(line, msg->buf, msg->body);
	for (p = line; p < line + msg->body; p++)
		if (*p == '\0')
			*p = '?';
	*p = '\0';
	return line;
}

/* The sender of a From_ line: its second word. */
static const char *
sender_of(TALLOC_CTX *ctx, const char *line)
{
	const char *p = line + 5;

	p += strspn(p, " \t");
	return must(talloc_strndup(ctx, p, strcspn(p, " \t\r\n")));
}

/*
 * A line that the message came with stays, but -f SENDER replaces its sender
 * and `-f -` its date.  Without one, only -f and -d make one.
 *
 * Source: procmail 3.22, by what it writes.
 */
const char *
message_from_line(TALLOC_CTX *ctx, const struct envelope *env, const char *line)
{
	const char *sender = env->from_sender;
	time_t now = time(NULL);
	char date[32], *made, *p;
	struct tm tm;

	if (env->from == FROM_KEEP && (*line != '\0' ||
	    env->recipient_user == NULL))
		return line;
	if (sender == NULL)
		sender = *line != '\0' ? sender_of(ctx, line) :
		    env->invoker != NULL ? env->invoker :
		    env->env_user != NULL ? env->env_user : "MAILER-DAEMON";
	(void)strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y",
	    localtime_r(&now, &tm));
	made = must(talloc_asprintf(ctx, "From %s  %s\n", sender, date));
	for (p = made; p[1] != '\0'; p++)	/* -f may hold any bytes */
		if (*p == '\n')
			*p = '?';
	return made;
}

static void *
new_hash(TALLOC_CTX *ctx)
{
	void *hash = must(talloc_size(ctx, sizeof(XXH3_state_t) + 64));

	/* The state wants an alignment that talloc does not promise. */
	hash = (void *)(((uintptr_t)hash + 63) & ~(uintptr_t)63);
	(void)XXH3_128bits_reset(hash);
	return hash;
}

enum status
message_begin(TALLOC_CTX *ctx, const struct envelope *env, int in,
    struct message **out, struct err *err)
{
	struct message *msg = must(talloc_zero(ctx, struct message));
	enum status st;
	char prev = '\0';

	msg->in = in;
	msg->buf = must(talloc_size(msg, MESSAGE_BUFFER + 1));
	st = fill(msg, err);
	if (st == ST_OK)
		st = sender_is_there(err);
	if (st != ST_OK) {
		talloc_free(msg);
		return st;
	}
	msg->buf[msg->len] = '\0';
	msg->from_line = message_from_line(msg, env, take_from_line(msg));
	msg->queued = find_queue_id(msg);
	msg->hash = new_hash(msg);
	account(msg, msg->buf + msg->body, msg->len - msg->body, &prev);
	msg->last = prev;
	if (msg->whole)
		close_account(msg);
	*out = msg;
	return ST_OK;
}

struct message *
message_in_memory(TALLOC_CTX *ctx, const char *data, size_t len,
    const struct message *input)
{
	struct message *msg = must(talloc_zero(ctx, struct message));
	const char *lf;
	char prev = '\0';

	msg->in = -1;
	msg->buf = (char *)(uintptr_t)data;
	msg->len = len;
	msg->whole = true;
	msg->from_line = "";
	if (input == NULL && len >= 5 && memcmp(data, "From ", 5) == 0) {
		lf = memchr(data, '\n', len);
		msg->body = lf != NULL ? (size_t)(lf - data) + 1 : len;
	}
	msg->queued = input == NULL ? find_queue_id(msg) : input->queued;
	msg->hash = new_hash(msg);
	account(msg, data + msg->body, len - msg->body, &prev);
	close_account(msg);
	if (input != NULL)
		memcpy(msg->digest, input->digest, sizeof(msg->digest));
	return msg;
}

enum status
message_each(struct message *msg, message_sink_fn *sink, void *arg,
    struct err *err)
{
	enum status st;

	if (msg->used && !msg->whole)
		return err_set(err, ST_AGAIN, "the message was read already");
	msg->used = true;
	st = sink(arg, msg->buf + msg->body, msg->len - msg->body, err);
	if (msg->whole)
		return st;
	msg->body = 0;
	while (st == ST_OK) {
		bool ended;

		st = fill(msg, err);
		ended = msg->whole;
		msg->whole = false;	/* only the end is in the buffer */
		if (st != ST_OK)
			break;
		account(msg, msg->buf, msg->len, &msg->last);
		st = sink(arg, msg->buf, msg->len, err);
		if (ended)
			break;
	}
	if (st == ST_OK)
		close_account(msg);
	return st;
}

struct files {
	const int	*fd;
	int		 n;
};

static enum status
write_all(void *arg, const char *p, size_t len, struct err *err)
{
	const struct files *to = arg;
	int i;

	for (i = 0; i < to->n; i++)
		if (file_write(to->fd[i], p, len) == -1)
			return err_sys(err, "write the message");
	return ST_OK;
}

enum status
message_write(struct message *msg, const int *fds, int n, struct err *err)
{
	struct files to = { fds, n };

	return message_each(msg, write_all, &to, err);
}

void
message_key(const struct message *msg, const char *recipient,
    const char *mailbox, unsigned ordinal, unsigned char key[MESSAGE_DIGEST])
{
	XXH128_canonical_t c;
	XXH3_state_t state;

	(void)XXH3_128bits_reset(&state);
	(void)XXH3_128bits_update(&state, msg->digest, sizeof(msg->digest));
	(void)XXH3_128bits_update(&state, recipient, strlen(recipient) + 1);
	(void)XXH3_128bits_update(&state, mailbox, strlen(mailbox) + 1);
	(void)XXH3_128bits_update(&state, &ordinal, sizeof(ordinal));
	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(&state));
	memcpy(key, c.digest, MESSAGE_DIGEST);
}
