/* SPDX-License-Identifier: ISC */
/*
 * mail.c - the message that an rc file works on, in memory
 */
#include "lda/recipe/mail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lda/message.h"

#define STEP		((size_t)256 * 1024)	/* bytes of a read */

static int
mail_destroy(struct mail *mail)
{
	bytes_free(&mail->b);
	return 0;
}

/* Append all that `in` has. */
static enum status
read_all(struct bytes *b, int in, struct err *err)
{
	ssize_t n;

	for (;;) {
		bytes_need(b, STEP);
		n = read(in, b->p + b->len, b->room - b->len - 1);
		if (n == 0)
			return ST_OK;
		if (n == -1 && errno != EINTR)
			return err_sys(err, "read the message");
		if (n > 0)
			b->len += (size_t)n;
	}
}

/* With -d and -f the message gets a From_ line in any case. */
static void
choose_from_line(TALLOC_CTX *ctx, const struct envelope *env,
    struct mail *mail)
{
	struct bytes new = { NULL, 0, 0 };
	const char *line, *lf;
	size_t skip = 0, len = 0;

	if (env->recipient_user == NULL && env->from == FROM_KEEP)
		return;
	while (skip < mail->b.len && mail->b.p[skip] == '\n')
		skip++;
	if (mail->b.len - skip >= 5 &&
	    memcmp(mail->b.p + skip, "From ", 5) == 0) {
		lf = memchr(mail->b.p + skip, '\n', mail->b.len - skip);
		len = lf == NULL ? mail->b.len - skip :
		    (size_t)(lf - mail->b.p) + 1 - skip;
	}
	line = message_from_line(ctx, env, must(talloc_strndup(ctx,
	    len == 0 ? "" : mail->b.p + skip, len)));
	bytes_put(&new, line, strlen(line));
	mail_replace(mail, 0, skip + len, &new);
}

enum status
mail_read(TALLOC_CTX *ctx, const struct envelope *env, int in,
    struct mail **out, struct err *err)
{
	struct mail *mail = must(talloc_zero(ctx, struct mail));
	enum status st;

	talloc_set_destructor(mail, mail_destroy);
	mail->berkeley = env->berkeley;
	st = read_all(&mail->b, in, err);
	if (st == ST_OK && message_orphaned())
		st = err_set(err, ST_AGAIN,
		    "the mail system that sent the message is gone");
	if (st != ST_OK) {
		talloc_free(mail);
		return st;
	}
	bytes_trim(&mail->b);
	choose_from_line(mail, env, mail);
	mail_look(mail);
	*out = mail;
	return ST_OK;
}

static void
add_fold(struct mail *mail, size_t at)
{
	if (mail->nfold % 32 == 0)
		mail->fold = must(talloc_realloc(mail, mail->fold, size_t,
		    (unsigned)mail->nfold + 32));
	mail->fold[mail->nfold++] = at;
}

/*
 * Find where the header ends: after the first empty line.  As in procmail a NUL
 * ends the search, and the whole message is then the header.
 */
static void
find_body(struct mail *mail)
{
	const char *p = mail->b.p, *lf;
	size_t at, len = mail->b.len, nul;

	for (at = 0; at < len && p[at] == '\n'; at++)
		continue;
	mail->head = at;
	mail->nfold = 0;
	mail->body = len;
	nul = 0;
	while (at < len && (lf = memchr(p + at, '\n', len - at)) != NULL) {
		nul = (size_t)(lf - p);
		if (memchr(p + at, '\0', nul - at) != NULL)
			return;
		at = nul + 1;
		if (at == len)
			return;
		if (p[at] == '\n') {
			mail->body = at + 1;
			return;
		}
		if (p[at] == ' ' || p[at] == '\t')
			add_fold(mail, nul);
	}
}

/* The offset and width of the first Content-Length's value; 0: none. */
static size_t
find_length(const struct mail *mail, size_t *width)
{
	static const char field[] = "Content-Length:";
	const size_t len = sizeof(field) - 1;
	const char *p = mail->b.p + mail->head, *end = mail->b.p + mail->body;
	const char *lf;

	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		if ((size_t)(lf - p) < len || strncasecmp(p, field, len) != 0)
			continue;
		*width = (size_t)(lf - p) - len;
		return (size_t)(p - mail->b.p) + len;
	}
	return 0;
}

/* Write the body's length in the width of the field, or nines. */
static void
correct_length(struct mail *mail)
{
	size_t width = 0, at = find_length(mail, &width), digits, i;
	unsigned long long body, said;
	const char *nul;
	char num[24];

	if (at == 0)
		return;
	nul = memchr(mail->b.p + at, '\0', width);
	if (nul != NULL)
		width = (size_t)(nul - (mail->b.p + at));
	body = mail->b.len - mail->body;
	if (mail->b.len > 1 && mail->b.p[mail->b.len - 2] == '\n' && body > 0)
		body--;		/* without the empty line between messages */
	digits = (size_t)snprintf(num, sizeof(num), "%llu", body);
	said = body;
	for (i = 0; i < width; i++)
		mail->b.p[at + i] = ' ';
	if (digits <= width)
		memcpy(mail->b.p + at + width - digits, num, digits);
	else
		for (said = 0, i = 0; i < width; i++) {
			mail->b.p[at + i] = '9';
			said = said * 10 + 9;
		}
	if (digits > 19)
		said = body;
	mail->escape = mail->body + said > mail->b.len ? mail->b.len :
	    mail->body + (size_t)said;
}

void
mail_look_body(struct mail *mail)
{
	mail->escape = mail->body > 0 ? mail->body - 1 : 0;
	if (!mail->berkeley)
		correct_length(mail);
}

void
mail_look(struct mail *mail)
{
	mail->unfolded = false;
	find_body(mail);
	mail_look_body(mail);
}

void
mail_unfold(struct mail *mail, bool unfolded)
{
	size_t i;

	if (mail->unfolded == unfolded)
		return;
	mail->unfolded = unfolded;
	for (i = 0; i < mail->nfold; i++)
		mail->b.p[mail->fold[i]] = unfolded ? ' ' : '\n';
}

void
mail_replace(struct mail *mail, size_t from, size_t to, struct bytes *data)
{
	struct bytes *b = &mail->b;
	size_t rest = b->len - to;

	if (from == 0 && to == b->len) {
		bytes_free(b);
		*b = *data;
	} else {
		if (data->len > to - from)
			bytes_need(b, data->len - (to - from));
		memmove(b->p + from + data->len, b->p + to, rest);
		if (data->len > 0)
			memcpy(b->p + from, data->p, data->len);
		b->len = from + data->len + rest;
		bytes_free(data);
	}
	bytes_trim(b);
	*data = (struct bytes){ NULL, 0, 0 };
}

struct part
mail_whole(struct mail *mail)
{
	mail_unfold(mail, false);
	return (struct part){ mail->b.p, mail->b.len, false };
}

/* The bytes of a From_ line and the >From_ lines after it. */
static size_t
from_lines(const char *data, size_t len)
{
	const char *p = data, *end = data + len, *lf;

	if (len < 5 || memcmp(p, "From ", 5) != 0)
		return 0;
	do {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			return len;
		p = lf + 1;
	} while (p < end && *p == '>');
	return (size_t)(p - data);
}

struct part
mail_without_from(const struct mail *mail, const struct part *part)
{
	struct part p = *part;
	size_t skip;

	if (p.data == mail->b.p) {
		skip = from_lines(p.data, p.len);
		p.data += skip;
		p.len -= skip;
	}
	return p;
}
