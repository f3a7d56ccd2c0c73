/* SPDX-License-Identifier: ISC */
/*
 * step_verb.c - mailferry step: what its line says, and what it prints
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/announce.h"
#include "admin/sessions.h"
#include "admin/step.h"
#include "admin/times.h"
#include "admin/users.h"
#include "admin/verbs.h"

#define MARGIN_MAX	1000000000

struct stepping {
	struct step	 step;
	time_t		 length;	/* of a window from now, seconds */
};

static int
bad_window(struct err *err)
{
	return admin_usage(err, "a cutover needs --for SECONDS or --window "
	    "BEGIN END, and no other step does");
}

static int
bad_time(const char *text, struct err *err)
{
	return admin_usage(err, "--window: %s is no time (seconds since the "
	    "epoch, 2026-11-24T23:00:00Z, +SECONDS)", text);
}

/* The window of a cutover. */
static int
read_window(const struct cmdline *line, struct stepping *s, struct err *err)
{
	time_t now = time(NULL);
	const char *length = cmdline_value(line, "for", 0);
	const char *begin = cmdline_value(line, "window", 0);
	const char *end = cmdline_value(line, "window", 1);

	if ((length != NULL) + (begin != NULL) != (s->step.to == STATE_CUTOVER))
		return bad_window(err);
	if (length != NULL && !time_duration(length, &s->length))
		return admin_usage(err, "--for: %s is no duration (90, 90s, "
		    "5m, 2h, 1d; at most 366d)", length);
	if (begin != NULL && !time_parse(begin, now, &s->step.begin))
		return bad_time(begin, err);
	if (end != NULL && !time_parse(end, now, &s->step.end))
		return bad_time(end, err);
	return EXIT_DONE;
}

/* What follows from a step, or would with --dry-run. */
static void
say_step(const struct admin *ad, const struct record *was, const struct step *s)
{
	char *begin, *end;

	if (was->state != s->to) {
		if (ad->dry_run)
			(void)printf("%s would step from %s to %s\n", was->user,
			    state_name(was->state), state_name(s->to));
	} else if (was->end != 0) {
		begin = time_text(NULL, was->begin);
		end = time_text(NULL, was->end);
		(void)printf("%s: the window planned from %s to %s %s\n",
		    was->user, begin, end, ad->dry_run ? "would be cancelled" :
		    "is cancelled");
		talloc_free(begin);
		talloc_free(end);
	}
}

/* Sessions go on with the side that they have opened. */
static void
say_sessions(const struct admin *ad, const char *user)
{
	char *command;
	unsigned n;

	if (sessions_count(ad->conf, user, &n) != ST_OK)
		return;
	command = sessions_command(NULL, ad->conf, user);
	(void)printf("%s has %u session%s (%s)%s%s%s\n", user, n,
	    n == 1 ? "" : "s", command, n == 0 ? "" : ": run `doveadm kick ",
	    n == 0 ? "" : user, n == 0 ? "" : "`, then look again: a session "
	    "writes to the side that it has opened");
	talloc_free(command);
}

/* Of a mailbox: a user chose its name. */
static void
say_lacking(const char *folder, unsigned long n, void *arg)
{
	char *name = record_escape(NULL, folder);

	(void)arg;
	(void)fprintf(stderr, "mailferry: %s: %lu message%s of the present "
	    "leader %s not on the next one\n", *name == '\0' ? "INBOX" : name,
	    n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
	talloc_free(name);
}

static void
warn_alone(const struct record *was, const struct step *s)
{
	(void)fprintf(stderr, "mailferry: %s: nothing is compared with the %s "
	    "side: messages that only that side has will not be seen\n",
	    was->user, side_name(s->without));
}

static bool
changes_leader(const struct record *was, const struct step *s)
{
	return was->state == STATE_CUTOVER && s->to != was->entered;
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
	if (st == ST_OK && s->without != SIDE_NONE && changes_leader(was, s))
		warn_alone(was, s);
	if (st == ST_OK)
		st = step_user(ad, was, s, err);
	if (st != ST_OK)
		return admin_status(st);
	say_step(ad, was, s);
	if (!ad->dry_run && (changes_leader(was, s) ||
	    (s->to == STATE_CUTOVER && s->begin <= time(NULL))))
		say_sessions(ad, user);
	return EXIT_DONE;
}

/* --without-side and --margin. */
static int
read_without(const struct cmdline *line, struct step *s, struct err *err)
{
	const char *side = cmdline_value(line, "without-side", 0);
	const char *margin = cmdline_value(line, "margin", 0);
	unsigned long n;
	char *end;

	s->without = SIDE_NONE;
	s->margin = STEP_MARGIN;
	if (side != NULL && strcmp(side, "old") != 0 && strcmp(side,
	    "new") != 0)
		return admin_usage(err, "--without-side: %s is no side (old, "
		    "new)", side);
	if (side != NULL)
		s->without = strcmp(side, "old") == 0 ? OLD : NEW;
	if (margin == NULL)
		return EXIT_DONE;
	n = strtoul(margin, &end, 10);
	if (*margin < '0' || *margin > '9' || *end != '\0' || n > MARGIN_MAX)
		return admin_usage(err, "--margin: %s is no number up to %d",
		    margin, MARGIN_MAX);
	s->margin = (uint32_t)n;
	return EXIT_DONE;
}

static int
run(struct admin *ad, struct err *err)
{
	struct stepping s = { .step = { .dry_run = ad->dry_run,
	    .force = cmdline_has(&ad->line, "force"), .progress = announce,
	    .lacks = say_lacking } };
	int n = ad->line.argc - 1, rc;

	if (!admin_state("step", ad->line.argv[n], &s.step.to, err))
		return EXIT_USAGE;
	rc = read_window(&ad->line, &s, err);
	if (rc == EXIT_DONE)
		rc = read_without(&ad->line, &s.step, err);
	return rc == EXIT_DONE ? users_each(ad, n, step_one, &s, err) : rc;
}

static const struct option step_options[] = {
	{ "for", "SECONDS", "of a cutover: a window that begins now", 0 },
	{ "window", "BEGIN END", "of a cutover: a window that is planned", 0 },
	{ "force", NULL, "also where the next leader lacks messages", 0 },
	{ "without-side", "SIDE", "this side is dead: do not touch it (old, "
	    "new)", 0 },
	{ "margin", "UIDS", "then: by how much the next UIDs are raised "
	    "(100000)", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_step = {
	.name = "step", .run = run, .operands = "USER... STATE", .min = 1,
	.max = OPERANDS_ANY, .users = true, .options = step_options,
	.does = "Step users to a state, and wait until no delivery by the "
	    "former one is under\nway.  A duration is 90, 90s, 5m, 2h or 1d; a "
	    "time is seconds since the epoch,\n2026-11-24T23:00:00Z or "
	    "+SECONDS from now.",
};
