/* SPDX-License-Identifier: ISC */
/*
 * step_verb.c - mailferry step: what its line says, and what it prints
 */
#include <stdio.h>

#include "admin/step.h"
#include "admin/times.h"
#include "admin/users.h"
#include "admin/verbs.h"

struct stepping {
	struct step	 step;
	time_t		 length;	/* of a window that begins now, seconds; 0 */
};

static int
bad_window(struct err *err)
{
	return admin_usage(err, "a cutover needs --for SECONDS or --window BEGIN "
	    "END, and no other step does");
}

static int
bad_time(const char *text, struct err *err)
{
	return admin_usage(err, "--window: %s is no time (seconds since the epoch, "
	    "2026-11-24T23:00:00Z, +SECONDS)", text);
}

/* The window of a cutover. */
static int
read_window(const struct line *line, struct stepping *s, struct err *err)
{
	time_t now = time(NULL);
	const char *length = line_value(line, "for", 0);
	const char *begin = line_value(line, "window", 0);
	const char *end = line_value(line, "window", 1);

	if ((length != NULL) + (begin != NULL) != (s->step.to == STATE_CUTOVER))
		return bad_window(err);
	if (length != NULL && !time_duration(length, &s->length))
		return admin_usage(err, "--for: %s is no duration (90, 90s, 5m, "
		    "2h, 1d; at most 366d)", length);
	if (begin != NULL && !time_parse(begin, now, &s->step.begin))
		return bad_time(begin, err);
	if (end != NULL && !time_parse(end, now, &s->step.end))
		return bad_time(end, err);
	return EXIT_DONE;
}

static int
step_one(struct admin *ad, const char *user, void *arg, struct err *err)
{
	struct stepping *stepping = arg;
	struct step *s = &stepping->step;
	struct record *was = NULL;
	enum status st;

	if (stepping->length != 0) {	/* each user's window is as long */
		s->begin = time(NULL);
		s->end = s->begin + stepping->length;
	}
	st = admin_get(ad, user, &was, err);
	if (st == ST_OK && was->is_default)
		st = err_set(err, ST_NEVER, "%s has no record: add one first "
		    "(mailferry add %s)", user, user);
	if (st != ST_OK)
		return admin_status(st);
	/* There already, perhaps since a barrier that failed: once more that. */
	if (was->state == s->to && s->to != STATE_CUTOVER)
		return admin_status(ad->dry_run ? ST_OK :
		    step_wait(ad, was, s, err));
	st = step_user(ad, was, s, err);
	if (st == ST_OK && ad->dry_run)
		(void)printf("%s would step from %s to %s\n", was->user,
		    state_name(was->state), state_name(s->to));
	return admin_status(st);
}

static int
run(struct admin *ad, struct err *err)
{
	struct stepping s = { .step = { .dry_run = ad->dry_run } };
	int n = ad->line.argc - 1, rc;

	if (!admin_state("step", ad->line.argv[n], &s.step.to, err))
		return EXIT_USAGE;
	rc = read_window(&ad->line, &s, err);
	return rc == EXIT_DONE ? users_each(ad, n, step_one, &s, err) : rc;
}

static const struct option step_options[] = {
	{ "for", "SECONDS", "of a cutover: a window that begins now", 0 },
	{ "window", "BEGIN END", "of a cutover: a window that is planned", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_step = {
	.name = "step", .run = run, .operands = "USER... STATE", .min = 1,
	.max = OPERANDS_ANY, .users = true, .options = step_options,
	.does = "Step users to a state, and wait until no delivery by the former one "
	    "is under\nway.  A duration is 90, 90s, 5m, 2h or 1d; a time is seconds "
	    "since the epoch,\n2026-11-24T23:00:00Z or +SECONDS from now.",
};
