/* SPDX-License-Identifier: ISC */
/*
 * folder_mbox.c - appending to an mbox
 */
#include "lda/recipe/folder_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lda/recipe/delivered.h"
#include "lda/recipe/engine.h"

/* The next LF from `at` on that must be escaped, as a "From " follows; or
 * `end`. */
static size_t
next_escape(const struct mail *m, size_t at, size_t end)
{
	const char *p = m->b.p, *hit;
	size_t i;

	while (at < end) {
		hit = memchr(p + at, '\n', end - at);
		if (hit == NULL)
			return end;
		i = (size_t)(hit - p);
		if (i + 1 >= end)
			return end;
		at = i + 1;
		if (i + 6 > m->b.len || memcmp(hit, "\nFrom ", 6) != 0)
			continue;
		if (i >= m->escape || (i > m->head && i + 6 <= m->body))
			return i;
	}
	return end;
}

static void
put_escaped(struct engine *e, struct folder_out *o, const struct part *in)
{
	size_t at = (size_t)(in->data - e->mail->b.p), end = at + in->len, lf;

	while (at < end) {
		lf = next_escape(e->mail, at, end);
		if (lf == end) {
			folder_put(o, e->mail->b.p + at, end - at);
			return;
		}
		folder_put(o, e->mail->b.p + at, lf + 1 - at);
		folder_put(o, ">", 1);
		at = lf + 1;
	}
}

static bool
lock_file(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(fd, F_SETLKW, &lock) == -1)
		if (errno != EINTR)
			return errno == ENOLCK || errno == EINVAL;
	return true;
}

bool
folder_append(struct engine *e, const struct folder *f, const struct part *in,
    bool ignore)
{
	bool nowhere = strcmp(f->path, "/dev/null") == 0;
	struct folder_out o = { .fd = -1 };

	delivered_to(e, f->path);
	e->last.tell = -1;
	if (nowhere) {
		e->last.bytes = (long)in->len;
		return true;
	}
	folder_mark_arrived(e, f);
	rclog_verbose(&e->log, "Opening", f->path);
	o.fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOCTTY, FOLDER_FILE_MODE);
	if (o.fd == -1)
		return ignore || folder_failed(e, f->path);
	if (!lock_file(o.fd))
		rclog_say(&e->log, "Kernel-lock failed");
	e->last.tell = lseek(o.fd, 0, SEEK_END);
	if (in->raw)
		folder_put(&o, in->data, in->len);
	else
		put_escaped(e, &o, in);
	folder_put_last_line(&o, in);
	if (!o.failed && fsync(o.fd) == -1 && errno != EINVAL) {
		o.failed = true;
		o.error = errno;
	}
	e->last.bytes = o.failed ? (long)in->len : o.n;
	if (o.failed && !ignore) {
		errno = o.error;
		(void)folder_failed(e, f->path);
		if (e->last.tell >= 0 && ftruncate(o.fd, e->last.tell) == 0)
			rclog_say(&e->log, "Truncated file to former size");
	}
	(void)close(o.fd);
	return !o.failed || ignore;
}
