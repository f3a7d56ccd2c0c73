/* SPDX-License-Identifier: ISC */
/*
 * folders_test.c - which mailboxes are listed, of real trees
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lda/store/folders.h"

static const char *broken;		/* a path that the filer cannot tell
					   of */

/* In place of libc's. */
int
fstatat(int at, const char *path, struct stat *sb, int flags)
{
	if (broken != NULL && strcmp(path, broken) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_newfstatat, at, path, sb, flags);
}

static char dir[] = "/tmp/mffolders.XXXXXX";
static const struct location loc = { .mail = dir };

/* A directory and what is above it, below the test's own. */
static void PRINTF(1, 2)
make(const char *fmt, ...)
{
	char path[5000], *p;
	va_list ap;
	int n;

	n = snprintf(path, sizeof(path), "%s/", dir);
	va_start(ap, fmt);
	(void)vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, ap);
	va_end(ap);
	for (p = path + n; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		if (mkdir(path, 0700) == -1)
			assert_int_equal(errno, EEXIST);
	}
	if (mkdir(path, 0700) == -1)
		assert_int_equal(errno, EEXIST);
}

static void
mailbox(const char *name)
{
	make("%s/cur", name);
	make("%s/new", name);
	make("%s/tmp", name);
}

static int
begin(void **state)
{
	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	mailbox(".");
	return 0;
}

static int
end(void **state)
{
	char cmd[100];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "chmod -R u+rwx %s; rm -rf %s", dir,
	    dir);
	return system(cmd);
}

static void
list(TALLOC_CTX *ctx, struct folders *found)
{
	struct err err;

	if (maildir_folders(ctx, &loc, found, &err) != ST_OK)
		fail_msg("%s", err.text);
}

/* The names that are found, each with a `|` behind it. */
static void
is_listed(const char *want)
{
	char *got = must(talloc_strdup(NULL, ""));
	struct folders found;
	size_t i;

	list(got, &found);
	for (i = 0; i < found.n; i++)
		got = must(talloc_asprintf_append(got, "%s|",
		    found.at[i].name));
	assert_string_equal(got, want);
	talloc_free(got);
}

static void
maildirpp(void **state)
{
	(void)state;
	mailbox(".Lists.dev");
	mailbox(".Lists");
	mailbox(".a");
	make(".no mailbox/new");
	is_listed("|.Lists|.Lists.dev|.a|");
}

/* Dovecot makes Work/Nov without Work/cur, and names that begin with a dot. */
static void
layout_fs(void **state)
{
	(void)state;
	mailbox("Work/Nov");
	mailbox("Work/.hidden");
	mailbox(".x/y");
	mailbox("Both");
	mailbox("Both/below");
	is_listed("|.x/y|Both|Both/below|Work/.hidden|Work/Nov|");
}

/* procmail delivers to names that Dovecot lists nowhere. */
static void
unusual_names(void **state)
{
	(void)state;
	mailbox("lists");
	mailbox("K\303\244se");
	mailbox("\377\376");
	mailbox("line\nfeed");
	mailbox("..x");
	mailbox(".a..b");
	mailbox(".trail.");
	mailbox(" ");
	is_listed("| |..x|.a..b|.trail.|K\303\244se|line\nfeed|lists|"
	    "\377\376|");
}

static void
no_mailboxes(void **state)
{
	(void)state;
	mailbox("..DOVECOT-TRASHED");
	mailbox("..DOVECOT-TRASHED123");
	mailbox("tmp/mailferry-aside/1700000000..Sub");
	mailbox("mailferry-aside.1700000000");
	mailbox(".Sub/mailferry-aside.1700000000");
	mailbox(".Sub");
	mailbox(".Sub/cur/.in-cur");
	is_listed("|.Sub|");
}

/* A link is no folder, whatever is behind it; nor is a cur that is one. */
static void
links(void **state)
{
	char path[100];

	(void)state;
	mailbox(".Real");
	make(".Half");
	(void)snprintf(path, sizeof(path), "%s/.Link", dir);
	assert_int_equal(symlink(".Real", path), 0);
	(void)snprintf(path, sizeof(path), "%s/loop", dir);
	assert_int_equal(symlink(".", path), 0);
	(void)snprintf(path, sizeof(path), "%s/.Half/cur", dir);
	assert_int_equal(symlink("../cur", path), 0);
	is_listed("|.Real|");
}

/* A mailbox whose new/ or tmp/ is missing has as few links as one without
 * folders. */
static void
incomplete(void **state)
{
	(void)state;
	make("Half/cur");
	mailbox("Half/below");
	is_listed("|Half|Half/below|");
}

static void
deep(void **state)
{
	char name[4000] = "";
	char want[5000] = "|";
	int i;

	(void)state;
	for (i = 1; i <= 50; i++) {
		(void)snprintf(name + strlen(name), sizeof(name) - strlen(name),
		    "%slevel%d", i == 1 ? "" : "/", i);
		if (i % 10 != 0)	/* most of them are no mailboxes */
			continue;
		mailbox(name);
		(void)snprintf(want + strlen(want), sizeof(want) - strlen(want),
		    "%s|", name);
	}
	is_listed(want);
}

/* No path leads to a mailbox so deep: neither a delivery's nor the
 * listing's. */
static void
deeper_than_paths(void **state)
{
	char name[201];
	int fd, below, i;

	(void)state;
	memset(name, 'x', 200);
	name[200] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	for (i = 0; i < 30; i++) {
		assert_int_equal(mkdirat(fd, name, 0700), 0);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY);
		assert_int_not_equal(below, -1);
		assert_int_equal(mkdirat(below, "cur", 0700), 0);
		(void)close(fd);
		fd = below;
	}
	(void)close(fd);
	{
		TALLOC_CTX *ctx = talloc_new(NULL);
		struct folders found;

		list(ctx, &found);
		assert_int_equal(found.n, 1 + 20);
		talloc_free(ctx);
	}
}

static void
not_to_be_entered(void **state)
{
	char path[100];

	(void)state;
	mailbox("lost+found/x");
	mailbox(".Sub");
	(void)snprintf(path, sizeof(path), "%s/lost+found", dir);
	assert_int_equal(chmod(path, 0), 0);
	if (geteuid() != 0)
		is_listed("|.Sub|");
	else				/* root enters everything */
		is_listed("|.Sub|lost+found/x|");
}

static void
ten_thousand(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct folders found;
	const struct folder *f;
	char path[100];
	struct stat sb;
	size_t i;

	(void)state;
	for (i = 0; i < 10000; i++)
		make(".F%zu/cur", i);
	list(ctx, &found);
	assert_int_equal(found.n, 10001);
	for (i = 1; i < found.n; i++)
		assert_true(strcmp(found.at[i - 1].name, found.at[i].name) < 0);
	f = folders_find(&found, ".F4711");
	assert_non_null(f);
	(void)snprintf(path, sizeof(path), "%s/.F4711", dir);
	assert_int_equal(stat(path, &sb), 0);
	assert_true(f->ino == sb.st_ino && f->dev == sb.st_dev);
	assert_null(folders_find(&found, ".F10000"));
	assert_string_equal(folders_find(&found, "")->name, "");
	talloc_free(ctx);
}

static void
nothing_there(void **state)
{
	static const struct location none = { .mail = "/nonexistent/u" };
	char path[100];
	struct folders found;
	struct err err;

	(void)state;
	assert_int_equal(maildir_folders(NULL, &none, &found, &err), ST_NONE);
	(void)snprintf(path, sizeof(path), "%s/cur", dir);
	assert_int_equal(rmdir(path), 0);
	is_listed("");		/* the Maildir is there, no inbox in it */
}

/* What cannot be looked at now may be a mailbox, and is not passed over. */
static void
filer_fails(void **state)
{
	static const char *const paths[] = { "./cur", ".Sub", ".Sub/cur",
	    ".Sub/deep", ".Sub/deep/cur" };
	struct folders found = { NULL, 0 };
	struct err err;
	size_t i;

	(void)state;
	mailbox(".Sub");
	mailbox(".Sub/deep");
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		broken = paths[i];
		assert_int_equal(maildir_folders(NULL, &loc, &found, &err),
		    ST_AGAIN);
		assert_non_null(strstr(err.text, paths[i]));
		broken = NULL;
	}
	is_listed("|.Sub|.Sub/deep|");
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(maildirpp), TEST(layout_fs), TEST(unusual_names),
		TEST(no_mailboxes), TEST(links), TEST(incomplete), TEST(deep),
		TEST(deeper_than_paths), TEST(not_to_be_entered),
		TEST(ten_thousand), TEST(nothing_there), TEST(filer_fails),
	};

	if (mkdtemp(dir) == NULL || rmdir(dir) == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
