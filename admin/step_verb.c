/* SPDX-License-Identifier: ISC */
/*
 * step_verb.c - mailferry step: what the line says, and what it prints
 */
#include <stdio.h>
#include <string.h>

#include "admin/step.h"
#include "admin/times.h"
#include "admin/verbs.h"

static bool
parse_words(const struct admin *ad, time_t now, struct step *s)
{
	char **w = ad->argv + 2;

	if (ad->argc < 2)
		return false;
	s->to = state_parse(ad->argv[1]);
	if (s->to == STATE_NONE)
		return false;
	if (ad->argc == 2)
		return s->to != STATE_CUTOVER;
	if (s->to != STATE_CUTOVER)
		return false;
	if (ad->argc == 4 && strcmp(w[0], "--for") == 0) {
		s->begin = now;
		if (!time_duration(w[1], &s->end))
			return false;
		s->end += now;
		return true;
	}
	return ad->argc == 5 && strcmp(w[0], "--window") == 0 &&
	    time_parse(w[1], now, &s->begin) && time_parse(w[2], now, &s->end);
}

int
verb_step(struct admin *ad, struct err *err)
{
	struct step s = { .dry_run = ad->dry_run };
	struct record *was = NULL;
	enum status st;

	if (!parse_words(ad, time(NULL), &s))
		return EXIT_USAGE;
	st = admin_get(ad, ad->argv[0], &was, err);
	if (st == ST_OK && was->is_default)
		st = err_set(err, ST_NEVER, "%s has no record: add one first "
		    "(mailferry add %s)", ad->argv[0], ad->argv[0]);
	if (st != ST_OK)
		return admin_status(st);
	/* There already, perhaps since a barrier that failed: once more that. */
	if (was->state == s.to && s.to != STATE_CUTOVER)
		return admin_status(ad->dry_run ? ST_OK :
		    step_wait(ad, was, &s, err));
	st = step_user(ad, was, &s, err);
	if (st == ST_OK && ad->dry_run)
		(void)printf("%s would step from %s to %s\n", was->user,
		    state_name(was->state), state_name(s.to));
	return admin_status(st);
}
