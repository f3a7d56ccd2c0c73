/* SPDX-License-Identifier: ISC */
/*
 * aside_test.c - a follower's mailbox goes aside with all that belongs to it
 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/aside.h"
#include "lda/store/folders.h"

static char dir[] = "/tmp/mfaside.XXXXXX";
static char far[] = "/dev/shm/mfaside.XXXXXX";	/* most likely another disk */

static void PRINTF(1, 2)
shell(const char *fmt, ...)
{
	char cmd[2000];
	va_list ap;
	int n;

	n = snprintf(cmd, sizeof(cmd), "set -e; cd %s; ", dir);
	va_start(ap, fmt);
	(void)vsnprintf(cmd + n, sizeof(cmd) - (size_t)n, fmt, ap);
	va_end(ap);
	if (system(cmd) != 0)
		fail_msg("%s", cmd);
}

static int
begin(void **state)
{
	(void)state;
	shell("mkdir u ctl idx");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	shell("rm -rf u ctl idx; rm -rf %s/*", far);
	return 0;
}

/* Opened, filled and set aside in second 1700000000. */
static void
set_aside(const char *folder, const char *control, const char *index)
{
	char mail[100];
	struct location loc = { mail, control, index };
	struct maildir *md = NULL;
	struct err err;

	(void)snprintf(mail, sizeof(mail), "%s/u", dir);
	if (maildir_open(NULL, &loc, folder, NULL, true, &md, &err) != ST_OK)
		fail_msg("%s", err.text);
	shell("cd 'u/%s'; echo mail >cur/1.x:2,S; echo mail >new/2.x; "
	    "echo mail >tmp/3.x; cd '%s/%s'; echo uids >dovecot-uidlist; "
	    "echo keys >dovecot-keywords; echo log >mailferry-deliveries",
	    folder, control == NULL ? "." : control,
	    control == NULL ? "." : folder);
	if (index != NULL)
		shell("mkdir -p '%s/%s'", index, folder);
	talloc_free(md);
	if (maildir_open(NULL, &loc, folder, NULL, true, &md, &err) != ST_OK)
		fail_msg("%s", err.text);
	assert_int_equal(fchdir(md->idx), 0);
	(void)system("echo i >dovecot.index; echo l >dovecot.index.log");
	assert_int_equal(chdir("/"), 0);
	if (aside_mailbox(md, 1700000000, &err) != ST_OK)
		fail_msg("%s", err.text);
	if (maildir_reopen(md, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(md);
}

/* All of it lies there; what stays is an empty mailbox with tmp/ and the
 * log. */
static void
is_aside(const char *name, const char *folder)
{
	shell("cd u/tmp/mailferry-aside/%s; [ \"$(cat cur/1.x:2,S new/2.x "
	    "dovecot-uidlist dovecot-keywords dovecot.index "
	    "dovecot.index.log | tr -d '\\n')\" = mailmailuidskeysil ]", name);
	shell("cd 'u/%s'; [ -z \"$(ls cur)$(ls new)\" ]; [ -e tmp/3.x ]; "
	    "[ -z \"$(find %s -name 'dovecot*' "
	    "-not -path '*/mailferry-aside/*')\" ]; "
	    "[ -n \"$(find %s -name mailferry-deliveries)\" ]", folder, dir,
	    dir);
}

static void
inbox_and_folder(void **state)
{
	char mail[100];
	struct location loc = { .mail = mail };
	struct folders list = { NULL, 0 };
	struct err err;

	(void)state;
	set_aside("", NULL, NULL);
	is_aside("1700000000.INBOX", "");
	set_aside(".Sub", NULL, NULL);
	is_aside("1700000000..Sub", ".Sub");
	shell("cd u/tmp/mailferry-aside/1700000000..Sub; "
	    "test ! -e mailferry-folder");
	/* In no layout is any of it a mailbox. */
	(void)snprintf(mail, sizeof(mail), "%s/u", dir);
	assert_int_equal(maildir_folders(NULL, &loc, &list, &err), ST_OK);
	assert_int_equal(list.n, 2);
	talloc_free(list.at);
}

/* The second time in one second, and what a crash had left half done. */
static void
twice(void **state)
{
	(void)state;
	shell("mkdir -p u/tmp/mailferry-aside/1700000000.INBOX/cur; "
	    "touch u/tmp/mailferry-aside/1700000000.INBOX/cur/0.x");
	set_aside("", NULL, NULL);
	is_aside("1700000001.INBOX", "");
	set_aside("", NULL, NULL);
	is_aside("1700000002.INBOX", "");
	shell("test -e u/tmp/mailferry-aside/1700000000.INBOX/cur/0.x");
}

static void
names_without_room(void **state)
{
	char longest[NAME_MAX + 1], name[NAME_MAX + 1];
	bool hashed;

	(void)state;
	shell("mkdir u/Work");
	set_aside("Work/Nov", NULL, NULL);
	aside_name("Work/Nov", 1700000000, name, &hashed);
	assert_true(hashed);
	is_aside(name, "Work/Nov");
	shell("cd u/tmp/mailferry-aside/%s; "
	    "[ \"$(cat mailferry-folder)\" = Work/Nov ]", name);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '.';
	longest[NAME_MAX] = '\0';
	set_aside(longest, NULL, NULL);
	aside_name(longest, 1700000000, name, &hashed);
	assert_true(hashed);
	is_aside(name, longest);
	longest[NAME_MAX - 11] = '\0';	/* it and "1700000000." are one name */
	set_aside(longest, NULL, NULL);
	aside_name(longest, 1700000000, name, &hashed);
	assert_false(hashed);
	is_aside(name, longest);
}

/* Also where control and index directories are elsewhere, on another disk. */
static void
files_go_along(void **state)
{
	char ctl[100], idx[100];

	(void)state;
	(void)snprintf(ctl, sizeof(ctl), "%s/ctl", dir);
	(void)snprintf(idx, sizeof(idx), "%s/idx", dir);
	set_aside(".Sub", ctl, idx);
	is_aside("1700000000..Sub", ".Sub");
	(void)snprintf(ctl, sizeof(ctl), "%s/ctl", far);
	(void)snprintf(idx, sizeof(idx), "%s/idx", far);
	shell("rm -rf u ctl idx; mkdir u ctl idx");
	set_aside(".Sub", ctl, idx);
	shell("cd u/tmp/mailferry-aside/1700000000..Sub; [ \"$(cat "
	    "dovecot-uidlist dovecot-keywords dovecot.index "
	    "dovecot.index.log | tr -d '\\n')\" = uidskeysil ]; "
	    "[ -z \"$(find %s -name 'dovecot*')\" ]", far);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(inbox_and_folder), TEST(twice), TEST(names_without_room),
		TEST(files_go_along),
	};
	int rc;

	if (mkdtemp(dir) == NULL || mkdtemp(far) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(dir) == -1 || rmdir(far) == -1 ? 1 : rc;
}
