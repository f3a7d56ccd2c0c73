/* SPDX-License-Identifier: ISC */
/*
 * visit_test.c - every mailbox of a user is visited, once, by several children
 */
#include "tests/unit/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>

#include "lda/store/visit_list.h"

static void
mailboxes(const char *side, int n)
{
	shell("mkdir -p %s/u/cur %s/u/new %s/u/tmp; cd %s/u; i=0; "
	    "while [ $i -lt %d ]; do i=$((i + 1)); "
	    "mkdir .F$i .F$i/cur .F$i/new .F$i/tmp; done", side, side, side,
	    side, n);
}

#define MANY 1001

struct seen {
	int	 times[MANY];
	int	 all;
	pid_t	 pids[16];		/* of children, each once */
	int	 npids;
	int	 locked;
};

static void
on_line(const char *line, void *arg)
{
	struct seen *seen = arg;
	int pid, i, locked;
	char name[300] = "";

	assert_true(sscanf(line, "%d %d %299s", &pid, &locked, name) >= 2);
	i = strncmp(name, ".F", 2) == 0 ? atoi(name + 2) : 0;
	assert_true(i >= 0 && i < MANY);
	seen->times[i]++;
	seen->all++;
	seen->locked += locked;
	for (i = 0; i < seen->npids; i++)
		if (seen->pids[i] == pid)
			return;
	assert_true(seen->npids < 16);
	seen->pids[seen->npids++] = pid;
}

static int
locks(const struct pair *pair)
{
	int i, n = 0;

	for (i = 0; i < pair->n; i++)
		n += faccessat(pair->box[i].md->ctl, UIDLIST_LOCK, F_OK,
		    0) == 0;
	return n;
}

static enum status
say(const struct visit *v, struct pair *pair, const char *folder, int out,
    struct err *err)
{
	(void)v;
	return as_user_say(out, err, "%ld %d %s", (long)getpid(), locks(pair),
	    folder);
}

static enum status
visit_by(visit_fn *fn, unsigned flags, struct seen *seen, struct err *err)
{
	struct record *rec = record();
	struct visit v = { .rec = rec, .conf = conf, .flags = flags, .fn = fn,
	    .line = on_line, .line_arg = seen };

	memset(seen, 0, sizeof(*seen));
	return visit_mailboxes(&v, err);
}

/* Two listings, two sides, a thousand folders: each is visited once. */
static void
each_once(void **state)
{
	struct seen seen;
	struct err err;
	int i;

	(void)state;
	begin(STATE_OVERLAP);
	mailboxes("old", MANY - 1);
	mailboxes("new", MANY - 1);
	if (visit_by(say, VISIT_HOLD, &seen, &err) != ST_OK)
		fail_msg("%s", err.text);
	for (i = 0; i < MANY; i++)
		assert_int_equal(seen.times[i], 1);
	assert_int_equal(seen.locked, 2 * MANY);
	assert_true(seen.npids > 1);
	shell("[ -z \"$(find old new -name '*.lock')\" ]");

	/* Without a lock nothing is written: no mailbox changes. */
	shell("find old new -printf '%%p %%C@ %%T@\\n' | sort >before");
	assert_int_equal(visit_by(say, 0, &seen, &err), ST_OK);
	assert_int_equal(seen.all, MANY);
	assert_int_equal(seen.locked, 0);
	shell("find old new -printf '%%p %%C@ %%T@\\n' | sort | cmp - before");
}

/* On one side only, and what is made there by the visit. */
static void
one_side(void **state)
{
	struct seen seen;
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	mailboxes("old", 20);
	shell("cd new && mkdir -p u/.Follower/cur u/.Follower/new "
	    "u/.Follower/tmp");
	assert_int_equal(visit_by(say, VISIT_HOLD, &seen, &err), ST_OK);
	assert_int_equal(seen.all, 22);
	assert_int_equal(seen.locked, 22);
	shell("[ ! -e new/u/.F7 ]");
	assert_int_equal(visit_by(say, VISIT_HOLD | VISIT_MAKE, &seen, &err),
	    ST_OK);
	assert_int_equal(seen.all, 22);
	assert_int_equal(seen.locked, 43);
	shell("[ -d new/u/.F7/cur ] && [ ! -e old/u/.Follower ]");
}

/* A client renames a folder and makes another in its place, when the listing
 * was made: both are visited, under the names that they have. */
static enum status
rename_and_say(const struct visit *v, struct pair *pair, const char *folder,
    int out, struct err *err)
{
	if (strcmp(folder, ".F1") == 0 && !holds("test -e old/u/.F500"))
		shell("cd old/u && mv .F2 .F500 && mkdir .F2 .F2/cur .F2/new "
		    ".F2/tmp");
	return say(v, pair, folder, out, err);
}

static void
renamed(void **state)
{
	struct seen seen;
	struct err err;

	(void)state;
	begin(STATE_OLD);
	mailboxes("old", 3);
	assert_int_equal(visit_by(rename_and_say, VISIT_HOLD, &seen, &err),
	    ST_OK);
	assert_int_equal(seen.times[1], 1);
	assert_int_equal(seen.times[2], 1);
	assert_int_equal(seen.times[3], 1);
	assert_int_equal(seen.times[500], 1);
}

/* One that makes a folder wherever it comes never ends by itself. */
static enum status
make_another(const struct visit *v, struct pair *pair, const char *folder,
    int out, struct err *err)
{
	(void)v;
	(void)pair;
	(void)out;
	(void)err;
	shell("mkdir -p 'old/u/%sx/cur'", *folder == '\0' ? ".F" : folder);
	return ST_OK;
}

static void
keep_changing(void **state)
{
	struct seen seen;
	struct err err;

	(void)state;
	begin(STATE_OLD);
	mailboxes("old", 1);
	assert_int_equal(visit_by(make_another, 0, &seen, &err), ST_AGAIN);
	assert_non_null(strstr(err.text, "keep changing"));
}

/* A child that was killed has not visited, though others have. */
static enum status
die_at_7(const struct visit *v, struct pair *pair, const char *folder, int out,
    struct err *err)
{
	if (strcmp(folder, ".F7") == 0)
		(void)raise(SIGKILL);
	return say(v, pair, folder, out, err);
}

static void
killed(void **state)
{
	struct seen seen;
	struct err err;

	(void)state;
	begin(STATE_OLD);
	mailboxes("old", 40);
	assert_int_equal(visit_by(die_at_7, VISIT_HOLD, &seen, &err), ST_AGAIN);
	assert_int_equal(seen.times[7], 0);
	assert_true(seen.all < 41);
	assert_int_equal(visit_by(say, VISIT_HOLD, &seen, &err), ST_OK);
	assert_int_equal(seen.all, 41);
}

/* What one mailbox says is the result; the others are visited all the same. */
static enum status
fail_at_7(const struct visit *v, struct pair *pair, const char *folder, int out,
    struct err *err)
{
	enum status st = say(v, pair, folder, out, err);

	return st == ST_OK && strcmp(folder, ".F7") == 0 ?
	    err_set(err, ST_NEVER, "not this one") : st;
}

static void
failed(void **state)
{
	struct seen seen;
	struct err err;

	(void)state;
	begin(STATE_OLD);
	mailboxes("old", 4);
	shell("mkdir -p old/u/.F7/cur");
	assert_int_equal(visit_by(fail_at_7, 0, &seen, &err), ST_NEVER);
	assert_string_equal(err.text, "not this one");
}

/* A mailbox without a control directory: nobody can hold a lock of it. */
static void
no_control(void **state)
{
	struct seen seen;
	struct err err;
	struct record *rec;
	struct visit v = { .conf = conf, .fn = say, .flags = VISIT_HOLD,
	    .line = on_line, .line_arg = &seen };

	(void)state;
	begin(STATE_OLD);
	mailboxes("old", 2);
	shell("rm -rf ctl; mkdir -p ctl/.INBOX ctl/.F1");
	rec = record();
	rec->side[OLD].control = talloc_asprintf(rec, "%s/ctl", dir);
	v.rec = rec;
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(visit_mailboxes(&v, &err), ST_OK);
	assert_int_equal(seen.all, 2);
	assert_int_equal(seen.times[2], 0);
}

static void
list_is(struct visit_list *list, const char *lines, const char *want)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	char *text = talloc_strdup(ctx, lines), *line, got[300] = "";
	size_t *todo, n, i;

	visit_list_begin(list);
	while ((line = strsep(&text, ",")) != NULL)
		if (*line != '\0' && !visit_list_take(NULL, list, line))
			fail_msg("%s", line);
	todo = visit_list_todo(ctx, list, &n);
	for (i = 0; i < n; i++) {
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got),
		    "%s,", list->at[todo[i]].name);
		/* Visited where it was listed. */
		line = talloc_asprintf(ctx, "%zu %lu %lu %lu %lu", todo[i],
		    (unsigned long)list->at[todo[i]].id[OLD].dev,
		    (unsigned long)list->at[todo[i]].id[OLD].ino,
		    (unsigned long)list->at[todo[i]].id[NEW].dev,
		    (unsigned long)list->at[todo[i]].id[NEW].ino);
		assert_true(visit_list_visited(list, line));
	}
	assert_string_equal(got, want);
	talloc_free(ctx);
}

static void
listings(void **state)
{
	static const char *const bad[] = { "", "old", "old 1 2", "odd 1 2 x",
	    "old x 2 y", "older 1 2 y" };
	struct visit_list list = { NULL, 0, 0, 0 };
	size_t i;

	(void)state;
	list_is(&list, "", "");
	list_is(&list, "old 1 2 ,old 1 4 b,old 1 3 a", ",a,b,");
	list_is(&list, "old 1 2 ,old 1 4 b,old 1 3 a", "");
	/* Also on new: that was not visited; gone: nothing to visit. */
	list_is(&list, "old 1 2 ,new 9 4 b,old 1 4 b", "b,");
	list_is(&list, "old 1 2 ,new 9 4 b,old 1 4 b", "");
	list_is(&list, "old 1 2 ,new 9 4 b", "");
	/* Renamed, and another one under its name. */
	list_is(&list, "old 1 2 ,old 1 4 c,old 1 5 b", "b,c,");
	/* The same inode on another device is another directory. */
	list_is(&list, "old 2 2 ", ",");
	list_is(&list, "old 2 6 two words,old 2 7 \\\\a\\n",
	    "\\a\n,two words,");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(visit_list_take(NULL, &list, bad[i]));
	assert_false(visit_list_visited(&list, "99 0 0 0 0"));
	assert_false(visit_list_visited(&list, "0 0 0 0"));
	assert_false(visit_list_visited(&list, "0 0 0 0 0 0"));
	talloc_free(list.at);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings), cmocka_unit_test(each_once),
		cmocka_unit_test(one_side), cmocka_unit_test(renamed),
		cmocka_unit_test(keep_changing), cmocka_unit_test(killed),
		cmocka_unit_test(failed), cmocka_unit_test(no_control),
	};

	return run_sides("visit", tests, sizeof(tests) / sizeof(tests[0]));
}
