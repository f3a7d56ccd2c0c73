/* SPDX-License-Identifier: ISC */
/*
 * import.c - many records from a file
 *
 * A line is what a record should be: keys it does not name stay as they are,
 * and a user without a record gets one as `add` would make it.  Nobody is
 * deleted. Every line is judged by the map while it is staged; the map takes
 * all of them or none.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/leader.h"
#include "admin/record_json.h"
#include "admin/rights.h"
#include "admin/rows.h"
#include "admin/step.h"
#include "admin/verbs.h"

#define ERRORS_MAX	20		/* printed before we give up */
#define ADDED		"added"

struct importing {
	struct admin	*ad;
	const char	*file;
	char		*id;
	enum side	 leads;		/* by the map's default */
	struct change_by by;
	bool		 terminal;	/* show progress */
	unsigned long	 added, changed, same, wrong;
	unsigned long	 forced;	/* leaders that --force alone allowed */
	enum status	 st;		/* the worst of the wrong lines */
	/* Users in another state than before: they get their barrier. */
	char		**stepped;
	unsigned	 nstepped;
};

static void
progress(const struct importing *im, const char *what, unsigned long n)
{
	if (im->terminal)
		(void)dprintf(STDERR_FILENO, "\r%lu %s ", n, what);
}

/* The same, apart from its last change. */
static bool
record_same(const struct record *a, const struct record *b)
{
	struct record x = *a, y = *b;
	char *s, *t;
	bool same;

	x.by = y.by = x.why = y.why = "";
	x.at = y.at = 0;
	x.version = y.version = 1;
	x.led = y.led = 0;
	s = record_format(NULL, &x);
	t = record_format(NULL, &y);
	same = strcmp(s, t) == 0 && a->led == b->led;
	talloc_free(s);
	talloc_free(t);
	return same;
}

static void
preview(const struct importing *im, const struct record *was,
    const struct record *is)
{
	if (!im->ad->dry_run)
		return;
	if (was == NULL)
		(void)printf("+ %s %s\n", is->user, state_name(is->state));
	else if (was->state != is->state)
		(void)printf("~ %s %s -> %s\n", is->user,
		    state_name(was->state), state_name(is->state));
	else
		(void)printf("~ %s\n", is->user);
}

/* A version in the file is the one it was exported with. */
static enum status
take_version(json_t *obj, const struct record *was, struct record *is,
    struct err *err)
{
	if (was == NULL) {
		if (is->version == 0)
			is->version = 1;
		if (json_object_get(obj, "led") == NULL &&
		    record_leader(is) == NEW)
			is->led = is->version;
		return ST_OK;
	}
	if (json_object_get(obj, "version") != NULL && is->version !=
	    was->version && !record_same(was, is))
		return err_set(err, ST_NEVER, "%s is in version %llu by now, "
		    "the line was written from version %llu", is->user,
		    (unsigned long long)was->version, (unsigned long
		    long)is->version);
	is->version = was->version + 1;
	return ST_OK;
}

static enum status
make_record(struct importing *im, json_t *obj, TALLOC_CTX *ctx,
    const struct record *was, const char *user, struct record **is,
    struct err *err)
{
	const char *home = NULL;
	enum status st;
	long uid;

	*is = was != NULL ? record_copy(ctx, was) :
	    admin_record(ctx, user, &home);
	st = record_json_apply(obj, *is, err);
	if (st != ST_OK)
		return st;
	if (was == NULL || json_is_null(json_object_get(obj, "old")) ||
	    json_is_null(json_object_get(obj, "new"))) {
		if (was != NULL)
			home = admin_home(ctx, user, &uid);
		st = record_locate(*is, im->ad->conf, home, err);
	}
	if (st == ST_OK)
		st = take_version(obj, was, *is, err);
	if (st == ST_OK)
		st = admin_check(*is, err);
	if (st == ST_OK && was == NULL)
		st = leader_check(im->ad, im->leads, *is, &im->forced, err);
	/* No side would be made ready. */
	if (st == ST_OK && was != NULL && was->state == STATE_CUTOVER &&
	    record_leader(was) != record_leader(*is))
		st = err_set(err, ST_NEVER, "%s: that would change who leads, "
		    "from %s to %s: use `mailferry move` or `mailferry step`",
		    user, side_name(record_leader(was)),
		    side_name(record_leader(*is)));
	return st;
}

/* A change of state is waited for at the user's mailboxes.  Root's child may
 * work on them where the user may. */
static enum status
may_wait(const struct importing *im, const struct record *was,
    const struct record *is, struct err *err)
{
	if (was == NULL || was->state == is->state || geteuid() == 0)
		return ST_OK;
	return rights_check(is, im->ad->conf, err);
}

static enum status
take(struct importing *im, json_t *obj, TALLOC_CTX *ctx, struct err *err)
{
	const char *user = json_string_value(json_object_get(obj, "user"));
	struct record *was = NULL, *is = NULL;
	enum status st;

	if (user == NULL)
		return err_set(err, ST_NEVER, "the line names no user");
	if (!record_user_valid(user))
		return err_set(err, ST_NEVER, "%s: not a user's name", user);
	st = map_get_stored(im->ad->map, ctx, user, &was, err);
	if (st == ST_OK || st == ST_NONE)
		st = make_record(im, obj, ctx, was, user, &is, err);
	if (st == ST_OK)
		st = may_wait(im, was, is, err);
	if (st != ST_OK)
		return st;
	if (was != NULL && record_same(was, is)) {
		im->same++;
		return ST_OK;
	}
	st = map_import_put(im->ad->map, im->id, was == NULL ? 0 : was->version,
	    is, &im->by, err);
	if (st != ST_OK)
		return st;
	preview(im, was, is);
	if (was == NULL)
		im->added++;
	else
		im->changed++;
	if (was != NULL && was->state != is->state) {
		im->stepped = must(talloc_realloc(im->ad->conf, im->stepped,
		    char *, im->nstepped + 1));
		im->stepped[im->nstepped++] = must(talloc_strdup(im->ad->conf,
		    user));
	}
	return ST_OK;
}

static enum status
on_line(json_t *obj, int line, void *arg, struct err *err)
{
	struct importing *im = arg;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = take(im, obj, ctx, err);

	talloc_free(ctx);
	if (line % 1000 == 0)
		progress(im, "lines read", (unsigned long)line);
	if (st == ST_OK)
		return ST_OK;
	(void)fprintf(stderr, "%s:%d: %s\n", im->file, line, err->text);
	im->st = im->st == ST_NEVER ? ST_NEVER : st;
	im->wrong++;
	return im->wrong < ERRORS_MAX ? ST_OK : ST_NONE;
}

/* Until every record is in its place. */
static enum status
commit(struct importing *im, struct err *err)
{
	uint64_t left = 1;
	enum status st = ST_OK;

	while (st == ST_OK && left > 0) {
		st = map_import_commit(im->ad->map, im->id, &left, err);
		progress(im, "records still to be written",
		    (unsigned long)left);
		if (left > 0 && im->ad->map != NULL)
			(void)poll(NULL, 0, left > 1000 ? 20 : 2);
	}
	if (im->terminal)
		(void)fputc('\n', stderr);
	return st;
}

/* A change of state is done when no delivery by the former one is under way. */
static enum status
wait_for_stepped(struct importing *im, struct err *err)
{
	struct record *rec;
	const struct step quiet = { .without = SIDE_NONE };
	enum status st = ST_OK, one;
	unsigned i;

	for (i = 0; i < im->nstepped; i++) {
		one = admin_get(im->ad, im->stepped[i], &rec, err);
		if (one == ST_OK)
			one = step_wait(im->ad, rec, &quiet, err);
		if (one == ST_OK)
			continue;
		(void)fprintf(stderr, "mailferry: %s\n", err->text);
		st = err_set(err, ST_AGAIN, "imported; some deliveries may be "
		    "under way by a former state: run `mailferry step` again "
		    "for the users named above");
	}
	return st;
}

static void
summary(const struct importing *im)
{
	(void)printf("%lu %s, %lu %s, %lu the same\n", im->added,
	    im->ad->dry_run ? "would be added" : ADDED, im->changed,
	    im->ad->dry_run ? "would be changed" : "changed", im->same);
	if (im->forced > 0)
		(void)fprintf(stderr, "mailferry: %lu of them lead%s where the "
		    "default does not, as --force says, and have mail on the "
		    "other side\n", im->forced, im->forced == 1 ? "s" : "");
}

static enum status
import(struct importing *im, enum format format, struct err *err)
{
	enum status st;

	st = leader_default(im->ad, &im->leads, err);
	if (st == ST_OK)
		st = map_import_begin(im->ad->map, im->ad->conf, &im->id, err);
	if (st != ST_OK)
		return st;
	st = rows_each(im->file, format, on_line, im, err);
	if (st == ST_NONE || (st == ST_OK && im->wrong > 0))
		st = err_set(err, im->st, "%s: %lu line%s wrong: nothing was "
		    "imported", im->file, im->wrong, im->wrong == 1 ? " is" :
		    "s or more are");
	if (st != ST_OK || im->ad->dry_run || im->added + im->changed == 0) {
		map_import_abort(im->ad->map, im->id);
		if (st == ST_OK)
			summary(im);
		return st;
	}
	st = commit(im, err);
	if (st == ST_OK) {
		summary(im);
		st = wait_for_stepped(im, err);
	}
	return st;
}

static int
run(struct admin *ad, struct err *err)
{
	struct importing im = { .ad = ad, .file = ad->line.argv[0],
	    .st = ST_OK };
	const char *name = cmdline_value(&ad->line, "format", 0);
	enum format format = rows_format_of(im.file);

	if (name != NULL && (!rows_format(name, &format) ||
	    format == FORMAT_LDIF))
		return admin_usage(err, "--format: %s cannot be imported "
		    "(jsonl, csv)", name);
	im.by = admin_by(ad->conf, ad);
	im.terminal = isatty(STDERR_FILENO) == 1;
	return admin_status(import(&im, format, err));
}

static const struct option import_options[] = {
	{ "format", "FORMAT", "jsonl or csv; else as the file's name ends", 0 },
	{ "force", NULL, "the leaders are right, they have led before", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_import = {
	.name = "import", .run = run, .operands = "FILE", .min = 1, .max = 1,
	.options = import_options,
	.does = "Make the records what the lines of a file say; all of them, "
	    "or none.\n`-' is the standard input.",
};
