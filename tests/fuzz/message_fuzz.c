/* SPDX-License-Identifier: ISC */
/*
 * message_fuzz.c - a message from standard input: bytes are bytes
 *
 * Input: ARGUMENTS LF REPEAT LF MESSAGE.  REPEAT times the message's last half
 * is put behind it again, so that it may outgrow the buffer.  \001 in an
 * argument is LF.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lda/message.h"

#define REPEAT_MAX 2000

static int
file_of(const char *data, size_t len)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	HOLDS(fd != -1 && write(fd, data, len) == (ssize_t)len);
	HOLDS(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void
file_is(int fd, const char *data, size_t len)
{
	char *buf = must(talloc_size(NULL, len + 1));

	HOLDS(pread(fd, buf, len + 1, 0) == (ssize_t)len);
	HOLDS(memcmp(buf, data, len) == 0);
	talloc_free(buf);
}

static struct message *
begin(TALLOC_CTX *ctx, const struct envelope *env, const char *data, size_t len,
    int *in)
{
	struct message *msg;
	struct err err;

	*in = file_of(data, len);
	HOLDS(message_begin(ctx, env, *in, &msg, &err) == ST_OK);
	return msg;
}

/* One line that begins a message in an mbox, or none. */
static void
check_from_line(const char *line, bool alone)
{
	size_t len = strlen(line);

	if (len == 0)
		return;
	HOLDS(strncmp(line, "From ", 5) == 0);
	HOLDS(strchr(line, '\n') == line + len - 1 ||
	    (alone && strchr(line, '\n') == NULL));
}

static void
check_sizes(const struct message *msg, const char *body, size_t len)
{
	off_t bare = 0;
	size_t i;

	for (i = 0; i < len; i++)
		bare += body[i] == '\n' && (i == 0 || body[i - 1] != '\r');
	HOLDS(msg->size == (off_t)len && msg->vsize == (off_t)len + bare);
}

/* A From_ line that does not end within the buffer is none. */
static const char *
behind_from_line(const char *data, size_t len)
{
	const char *lf = memchr(data, '\n', len < MESSAGE_BUFFER ? len :
	    MESSAGE_BUFFER);

	if (len < 5 || memcmp(data, "From ", 5) != 0)
		return data;
	return lf != NULL ? lf + 1 : len < MESSAGE_BUFFER ? data + len : data;
}

static void
check(TALLOC_CTX *ctx, const struct envelope *env, const char *data,
    size_t len)
{
	const char *body = behind_from_line(data, len);
	size_t blen = (size_t)(data + len - body);
	int in, in2, out[2] = { file_of("", 0), file_of("", 0) };
	struct message *msg = begin(ctx, env, data, len, &in), *other;
	struct err err;
	char *again;

	check_from_line(msg->from_line, blen == 0);
	HOLDS(message_write(msg, out, 2, &err) == ST_OK);
	file_is(out[0], body, blen);
	file_is(out[1], body, blen);
	check_sizes(msg, body, blen);
	if (!msg->whole)
		HOLDS(message_write(msg, out, 1, &err) == ST_AGAIN);
	/* On a retry all but the date of the From_ line is the same. */
	again = must(talloc_asprintf(ctx, "From x  later\n"));
	again = must(talloc_realloc(ctx, again, char, (unsigned)(14 + blen)));
	memcpy(again + 14, body, blen);
	other = begin(ctx, env, again, 14 + blen, &in2);
	HOLDS(message_write(other, NULL, 0, &err) == ST_OK);
	HOLDS(memcmp(other->digest, msg->digest, MESSAGE_DIGEST) == 0);
	if (msg->whole && other->whole)
		HOLDS(msg->queued == other->queued);
	(void)close(in);
	(void)close(in2);
	(void)close(out[0]);
	(void)close(out[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *args = fuzz_line(ctx, &in), *argv[8] = { must(talloc_strdup(ctx,
	    "lda")) }, *envp[1] = { NULL };
	unsigned long repeat = strtoul(fuzz_line(ctx, &in), NULL, 10), i;
	size_t n = (size_t)(in.end - in.p), half = n / 2, len = n;
	struct envelope *env;
	struct err err;
	char *text;

	for (i = 1; i < 7 && *args != '\0'; i++)
		argv[i] = fuzz_lf(fuzz_word(&args));
	if (repeat > REPEAT_MAX)
		repeat = REPEAT_MAX;
	if (repeat * half > 400000)	/* three buffers and a bit */
		repeat = 400000 / half;
	text = must(talloc_size(ctx, n + repeat * half + 1));
	memcpy(text, in.p, n);
	for (i = 0; i < repeat; i++, len += half)
		memcpy(text + len, in.end - half, half);
	if (envelope_read(ctx, 0, argv, envp, &env, &err) == ST_OK)
		check(ctx, env, text, len);
	talloc_free(ctx);
	return 0;
}
