/* SPDX-License-Identifier: ISC */
/*
 * mbox_fuzz.c - a message more in an mbox is one message more to whoever reads
 * it
 *
 * Input: ARGUMENTS LF MESSAGE.  \001 in an argument is LF.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lda/place.h"

#define BEFORE	"From a@x.test  Mon Jan  1 00:00:00 2026\n\nbefore\n\n"
#define NAME	"box"
#define LENGTH	"Content-Length:"

struct reading {
	const char	*p, *end;	/* what the mbox has of the message */
	bool		 body, berkeley;
	const char	*value;		/* of the first Content-Length */
	size_t		 width;
	const char	*body_at;
};

static const char *
line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf == NULL ? end : lf + 1;
}

static bool
begins(const char *p, const char *end, const char *with)
{
	return (size_t)(end - p) >= strlen(with) &&
	    strncasecmp(p, with, strlen(with)) == 0;
}

/* One line of the message as the mbox has it; false where it differs. */
static bool
same_line(struct reading *r, const char *line, const char *end)
{
	size_t len = (size_t)(end - line), head = strlen(LENGTH), value;
	bool from = len >= 5 && memcmp(line, "From ", 5) == 0;

	if (from && !(r->body && r->value != NULL)) {
		if (r->p == r->end || *r->p++ != '>')
			return false;
	}
	if ((size_t)(r->end - r->p) < len)
		return false;
	value = !r->body && !r->berkeley && r->value == NULL &&
	    begins(line, end, LENGTH) ? len - head - (end[-1] == '\n') : 0;
	if (value > 0) {
		r->value = r->p + head;
		r->width = value;
		if (memcmp(r->p, line, head) != 0)
			return false;
	} else if (memcmp(r->p, line, len) != 0)
		return false;
	r->p += len;
	if (len == 1 && *line == '\n' && !r->body) {
		r->body = true;
		r->body_at = r->p;
	}
	return true;
}

/* The field says where the message ends, or nothing that is too short. */
static void
check_length(const struct reading *r, size_t body)
{
	char *copy = must(talloc_strndup(NULL, r->value, r->width)), *end;
	unsigned long n = strtoul(copy, &end, 10);

	HOLDS(strlen(copy) == r->width && end[strspn(end, " ")] == '\0');
	if (n != body)
		HOLDS(strspn(copy, "9") == r->width);
	talloc_free(copy);
}

static void
check_added(const char *from, const char *msg, size_t len, const char *p,
    const char *end, bool berkeley)
{
	struct reading r = { .p = p + strlen(from), .end = end,
	    .berkeley = berkeley };
	const char *line, *next, *mend = msg + len;

	HOLDS((size_t)(end - p) >= strlen(from) &&
	    memcmp(p, from, strlen(from)) == 0);
	for (line = msg; line < mend; line = next) {
		next = line_end(line, mend);
		HOLDS(same_line(&r, line, next));
	}
	/* Between two messages there is an empty line. */
	HOLDS(r.p == end || (r.p + 1 == end && *r.p == '\n'));
	HOLDS(end[-1] == '\n' && (len == 0 || mend[-1] != '\n' ||
	    end[-2] == '\n'));
	/* The length goes up to that line, or to the LF that there was not. */
	if (r.value != NULL)
		check_length(&r, r.body && end > r.body_at ?
		    (size_t)(end - 1 - r.body_at) : 0);
	else
		for (line = p + strlen(from); line < end;
		    line = line_end(line, end))
			HOLDS((size_t)(end - line) < 5 ||
			    memcmp(line, "From ", 5) != 0);
}

static void
check(TALLOC_CTX *ctx, const struct envelope *env, const char *data, size_t len)
{
	char *path = must(talloc_asprintf(ctx, "%s/" NAME, fuzz_path())), *box;
	int dir = fuzz_dir(), fds[2];
	struct message *msg;
	const char *lf;
	struct err err;
	size_t n;

	fuzz_clear(dir);
	fuzz_put(dir, NAME, BEFORE, strlen(BEFORE));
	if (len > 60000)
		len = 60000;		/* of what a pipe holds */
	HOLDS(pipe(fds) == 0 && write(fds[1], data, len) == (ssize_t)len);
	(void)close(fds[1]);
	HOLDS(message_begin(ctx, env, fds[0], &msg, &err) == ST_OK);
	if (len >= 5 && memcmp(data, "From ", 5) == 0) {
		lf = memchr(data, '\n', len);
		len -= lf == NULL ? len : (size_t)(lf + 1 - data);
		data = lf == NULL ? data : lf + 1;
	}
	HOLDS(place_append(ctx, env, path, msg, 0, &err) == ST_OK);
	HOLDS(fuzz_count(dir) == 1);		/* and no lock */
	box = fuzz_get(ctx, dir, NAME, &n);
	HOLDS(n > strlen(BEFORE) && memcmp(box, BEFORE, strlen(BEFORE)) == 0);
	check_added(msg->from_line, data, len, box + strlen(BEFORE), box + n,
	    env->berkeley);
	(void)close(fds[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *args = fuzz_line(ctx, &in), *argv[8] = { must(talloc_strdup(ctx,
	    "lda")) }, *envp[1] = { NULL };
	struct envelope *env;
	struct err err;
	int i;

	for (i = 1; i < 7 && *args != '\0'; i++)
		argv[i] = fuzz_lf(fuzz_word(&args));
	if (envelope_read(ctx, 0, argv, envp, &env, &err) == ST_OK)
		check(ctx, env, fuzz_rest(&in));
	talloc_free(ctx);
	return 0;
}
