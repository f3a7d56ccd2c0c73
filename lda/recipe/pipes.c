/* SPDX-License-Identifier: ISC */
/*
 * pipes.c - programs that take a message, judge it or change it
 */
#include "lda/recipe/pipes.h"

#include <stdio.h>
#include <sysexits.h>

#include "lda/recipe/delivered.h"
#include "lda/recipe/engine.h"

const char *
pipes_name(struct engine *e, const struct program *p)
{
	return p->shell ? p->words.buf :
	    words_join(e->ctx, &p->words, words_next(&p->words, NULL));
}

void
pipes_failure(struct engine *e, const char *name, int code, unsigned wait)
{
	char text[64];

	if ((wait & WAIT_QUIET) != 0 && e->log.verbose == 0)
		return;
	(void)snprintf(text, sizeof(text), (wait & WAIT_QUIET) != 0 ?
	    "Non-zero exitcode (%d) from" : "Program failure (%d) of", code);
	rclog_say_of(&e->log, text, name);
}

bool
pipes_deliver(struct engine *e, const struct program *p,
    const struct part *in, unsigned wait, bool ignore, bool deliver)
{
	const char *name = p->words.buf;
	struct child_end end;
	bool ok;

	child_run(e, p, in, NULL, false, wait != NO_WAIT, &end);
	if (!end.started)
		e->special.code = EX_OSERR;
	e->last.tell = -1;
	e->last.bytes = (long)(end.written ? end.bytes : in->len);
	if (!end.started || e->end.stop)
		return false;
	ok = end.written || ignore;
	if (!ok)
		rclog_say_of(&e->log, "Error while writing to", name);
	if (end.waited)
		e->special.code = end.code;
	if (end.waited && wait != NO_WAIT && end.code != 0) {
		pipes_failure(e, name, end.code, wait);
		ok = false;
	}
	if (deliver)
		delivered_to(e, pipes_name(e, p));
	return ok;
}

bool
pipes_filter(struct engine *e, const struct program *p,
    const struct part *in, unsigned wait, bool ignore, struct bytes *out)
{
	const char *name = p->words.buf;
	struct child_end end;
	bool ok = true, quiet = (wait & WAIT_QUIET) != 0;

	child_run(e, p, in, out, false, wait != NO_WAIT, &end);
	if (!end.started || e->end.stop)
		return false;
	if (!end.written && !ignore && !end.timed_out) {
		rclog_say_of(&e->log, "Error while writing to", name);
		quiet = false;
		ok = false;
	}
	if (end.waited && wait != NO_WAIT) {
		e->special.code = end.code & 0xff;
		e->programs.filter_failed = end.code != 0;
	}
	if (ok && end.waited && wait != NO_WAIT && end.code != 0) {
		pipes_failure(e, name, end.code, wait);
		ok = false;
	}
	if (end.timed_out)
		ok = false;
	if (!ok && (!quiet || e->log.verbose != 0))
		rclog_say(&e->log, "Rescue of unfiltered data succeeded");
	return ok;
}
