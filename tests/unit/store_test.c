/* SPDX-License-Identifier: ISC */
/*
 * store_test.c - uidlists, messages and mboxes in a real directory
 */
#include "tests/unit/files.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lda/store/maildir.h"
#include "lda/store/mbox.h"
#include "lda/store/message_copy.h"
#include "lda/store/uidlist.h"

#define GUID "0123456789abcdef0123456789abcdef"
#define HEAD "3 V1700000000 N124 G" GUID "\n"

static void
next_is_the_higher_of_two(void **state)
{
	static const struct {
		const char *text;
		uint32_t next;
		off_t torn;
	} c[] = {
		{ HEAD, 124, 0 },
		{ HEAD "5 :a\n", 124, 0 },
		{ HEAD "5 :a\n200 W7 S5 :b\n", 201, 0 },
		{ HEAD "130 :a\n131 :cut", 131, 8 },
		{ "3 V7 N1\n", 1, 0 },
		{ "3 V7 N1 Q9 G" GUID "\n", 1, 0 },
	};
	struct uidlist ul;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		put(UIDLIST_NAME, c[i].text);
		if (uidlist_read(&ul, dfd, &err) != ST_OK)
			fail_msg("%s", err.text);
		assert_int_equal(ul.next, c[i].next);
		assert_int_equal(ul.torn, c[i].torn);
		assert_int_equal(uidlist_append(&ul, ul.next - 1, "n", &err),
		    ST_NEVER);
		uidlist_close(&ul);
	}
}

static void
refused_lists(void **state)
{
	static const char *const bad[] = {
		"1 1700000000 124\n5 a\n", "2 V1 N1\n", "4 V1 N1\n", "3 N1\n",
		"3 V1\n", "3 V1 N1", "3 V0 N1\n", "3 V1 N99999999999\n",
		"3V1 N1\n",
		HEAD "x :a\n", HEAD "0 :a\n", HEAD "\n", HEAD "5\n",
		HEAD "4294967295 :a\n",
	};
	struct uidlist ul;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(UIDLIST_NAME, bad[i]);
		if (uidlist_read(&ul, dfd, &err) != ST_NEVER)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(ul.fd, -1);
	}
	put(UIDLIST_NAME, "");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_NONE);
	(void)unlinkat(dfd, UIDLIST_NAME, 0);
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_NONE);
}

static void
torn_line_goes_before_the_next(void **state)
{
	struct uidlist ul;
	struct err err;

	(void)state;
	put(UIDLIST_NAME, HEAD "130 :a\n131 :cu");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_mend(&ul, &err), ST_OK);
	assert_int_equal(uidlist_append(&ul, 140, "b", &err), ST_OK);
	assert_int_equal(ul.next, 141);
	uidlist_close(&ul);
	is(UIDLIST_NAME, HEAD "130 :a\n140 :b\n");
}

static void
new_files(void **state)
{
	struct uidlist ul;
	struct err err;
	struct stat sb;

	(void)state;
	(void)unlinkat(dfd, UIDLIST_NAME, 0);
	assert_int_equal(uidlist_make(&ul, dfd, 1700000000, 1, GUID, 0640,
	    (gid_t)-1, &err), ST_OK);
	assert_int_equal(fstat(ul.fd, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0640);
	assert_int_equal(uidlist_append(&ul, 1, "a,S=1", &err), ST_OK);
	assert_int_equal(uidlist_append(&ul, 2, "b,S=1", &err), ST_OK);
	assert_int_equal(uidlist_raise(&ul, dfd, 2, &err), ST_OK);
	is(UIDLIST_NAME, "3 V1700000000 N1 G" GUID "\n1 :a,S=1\n2 :b,S=1\n");
	assert_int_equal(uidlist_raise(&ul, dfd, 124, &err), ST_OK);
	assert_int_equal(ul.next, 124);
	is(UIDLIST_NAME, "3 V1700000000 N124 G" GUID "\n1 :a,S=1\n2 :b,S=1\n");
	/* A dropped line's UID stays used. */
	assert_int_equal(uidlist_append(&ul, 124, "c,S=1", &err), ST_OK);
	assert_int_equal(uidlist_drop(&ul, dfd, "c,S=1", ul.next, &err), ST_OK);
	assert_int_equal(ul.next, 125);
	is(UIDLIST_NAME, "3 V1700000000 N125 G" GUID "\n1 :a,S=1\n2 :b,S=1\n");
	uidlist_close(&ul);
}

/* What is still written to the old file is not in the new one. */
static void
renewed_list(void **state)
{
	struct uidlist old, ul;
	struct err err;

	(void)state;
	put(UIDLIST_NAME, HEAD "130 :a\n");
	assert_int_equal(uidlist_read(&old, dfd, &err), ST_OK);
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_renew(&ul, dfd, &err), ST_OK);
	assert_int_equal(ul.next, 131);
	assert_int_equal(uidlist_append(&old, 131, "late", &err), ST_OK);
	assert_int_equal(uidlist_append(&ul, 131, "b", &err), ST_OK);
	is(UIDLIST_NAME, "3 V1700000000 N131 G" GUID "\n130 :a\n131 :b\n");
	uidlist_close(&old);
	uidlist_close(&ul);
}

static void
lines_from_the_end(void **state)
{
	struct uidlist_line *lines;
	struct uidlist ul;
	struct err err;
	char name[100];
	uint32_t uid, from;
	size_t n;

	(void)state;
	(void)unlinkat(dfd, UIDLIST_NAME, 0);
	assert_int_equal(uidlist_make(&ul, dfd, 1, 1, GUID, 0600, (gid_t)-1,
	    &err), ST_OK);
	for (uid = 1; uid <= 1000; uid++) {
		(void)snprintf(name, sizeof(name), "%u.M1P1.host,S=%u,W=9",
		    uid, uid);
		assert_int_equal(uidlist_append(&ul, uid * 2, name, &err),
		    ST_OK);
	}
	for (from = 1; from <= 2003; from += 77) {
		TALLOC_CTX *ctx = talloc_new(NULL);

		assert_int_equal(uidlist_from(ctx, &ul, from, &lines, &n, &err),
		    ST_OK);
		assert_int_equal(n, from > 2000 ? 0 : (2000 - from) / 2 + 1);
		if (n > 0) {
			assert_true(lines[0].uid == from ||
			    lines[0].uid == from + 1);
			assert_int_equal(lines[n - 1].uid, 2000);
			assert_string_equal(lines[n - 1].name,
			    "1000.M1P1.host,S=1000,W=9");
		}
		talloc_free(ctx);
	}
	uidlist_close(&ul);
}

/* A key's value may have a colon in it: POP3 UIDLs of other servers do. */
static void
colon_in_a_key(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct uidlist_line *lines;
	struct uidlist ul;
	struct err err;
	size_t n;

	(void)state;
	put(UIDLIST_NAME, HEAD "5 P1:2 W9 :a,S=1\n6 P7:b :c d :e\n");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_from(ctx, &ul, 1, &lines, &n, &err), ST_OK);
	assert_int_equal(n, 2);
	assert_string_equal(lines[0].name, "a,S=1");
	assert_string_equal(lines[1].name, "c d ");
	talloc_free(ctx);
	assert_int_equal(uidlist_drop(&ul, dfd, "a,S=1", ul.next, &err), ST_OK);
	is(UIDLIST_NAME, HEAD "6 P7:b :c d :e\n");
	uidlist_close(&ul);
}

/* Each line of a list as it stands, and nothing of what comes later. */
static void
scan_gives_all(void **state)
{
	static const struct uidlist_line want[] = {
		{ 5, "a,S=1", " Ggg W9 " }, { 6, "c d ", " P7:b " },
		{ 4000000000u, "a,S=1", " " },
	};
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct uidlist_scan *scan;
	struct uidlist_line line;
	struct uidlist ul;
	struct err err;
	size_t i;

	(void)state;
	put(UIDLIST_NAME, HEAD "5 Ggg W9 :a,S=1:2,S\n6 P7:b :c d :e\n"
	    "4000000000 :a,S=1\n4000000001 :cut");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_mend(&ul, &err), ST_OK);
	scan = uidlist_scan_begin(ctx, &ul);
	assert_int_equal(uidlist_append(&ul, 4000000001u, "later", &err),
	    ST_OK);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(uidlist_scan_next(scan, &line, &err), ST_OK);
		assert_int_equal(line.uid, want[i].uid);
		assert_string_equal(line.name, want[i].name);
		assert_string_equal(line.keys, want[i].keys);
	}
	assert_int_equal(uidlist_scan_next(scan, &line, &err), ST_NONE);
	assert_int_equal(uidlist_scan_next(scan, &line, &err), ST_NONE);
	talloc_free(ctx);
	uidlist_close(&ul);
}

static void
scan_meets_damage(void **state)
{
	static const char *const bad[] = {
		HEAD "5 :a\n5 :b\n9 :c\n", HEAD "5 :a\n4 :b\n9 :c\n",
		HEAD "5 :a\nx :b\n9 :c\n", HEAD "5 :a\n6 W7\n9 :c\n",
		HEAD "5 :a\n6 :b/c\n9 :c\n", HEAD "5 :a\n6 :\n9 :c\n",
		HEAD "5 :a\n\n9 :c\n", HEAD "5 :a\n4294967295 :b\n9 :c\n",
	};
	struct uidlist_scan *scan;
	struct uidlist_line line;
	struct uidlist ul;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(UIDLIST_NAME, bad[i]);
		assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
		scan = uidlist_scan_begin(NULL, &ul);
		assert_int_equal(uidlist_scan_next(scan, &line, &err), ST_OK);
		if (uidlist_scan_next(scan, &line, &err) != ST_NEVER)
			fail_msg("taken for a line: %s", bad[i]);
		assert_non_null(strstr(err.text, "near UID 5"));
		talloc_free(scan);
		uidlist_close(&ul);
	}
}

/* Not before it is committed, and then whole. */
static void
written_list(void **state)
{
	static const struct uidlist_line lines[] = {
		{ 3, "a,S=1", " " }, { 9, "b", " Ggg P1:2 " },
	};
	static const struct uidlist_line bad[] = {
		{ 9, "c", " " }, { 8, "c", " " }, { 0, "c", " " },
		{ 4294967295u, "c", " " }, { 10, "", " " }, { 10, "a/b", " " },
		{ 10, "a:2,S", " " }, { 10, "a\nb", " " }, { 10, "c", "" },
		{ 10, "c", " x" }, { 10, "c", "x " }, { 10, "c", " :x " },
		{ 10, "c", " \n " },
	};
	struct uidlist_writer *w;
	struct uidlist ul;
	struct err err;
	size_t i, tries;

	(void)state;
	put(UIDLIST_NAME, HEAD "130 :old\n");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	for (tries = 0; tries < 2; tries++) {
		assert_int_equal(uidlist_write_begin(NULL, dfd, 7, 124, GUID,
		    0640, (gid_t)-1, &w, &err), ST_OK);
		for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
			assert_int_equal(uidlist_write_put(w, &lines[i], &err),
			    ST_OK);
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			if (uidlist_write_put(w, &bad[i], &err) != ST_NEVER)
				fail_msg("written: %u %s", bad[i].uid,
				    bad[i].name);
		is(UIDLIST_NAME, HEAD "130 :old\n");
		if (tries == 0)		/* given up */
			talloc_free(w);
		else
			assert_int_equal(uidlist_write_commit(w, &ul, &err),
			    ST_OK);
	}
	is(UIDLIST_NAME, "3 V7 N124 G" GUID "\n3 :a,S=1\n9 Ggg P1:2 :b\n");
	assert_int_equal(ul.next, 124);
	assert_int_equal(ul.last, 9);
	uidlist_close(&ul);
}

/* Unknown keys of the header, and lines that are damaged, are kept. */
static void
rewritten_as_it_was(void **state)
{
	struct uidlist ul;
	struct err err;

	(void)state;
	put(UIDLIST_NAME, "3 V7 N9 Q5 G" GUID "  X\n5 :a:2,S\nodd\n7 :b\n"
	    "8 :a\n");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_drop(&ul, dfd, "a", ul.next, &err), ST_OK);
	assert_int_equal(uidlist_raise(&ul, dfd, 20, &err), ST_OK);
	uidlist_close(&ul);
	is(UIDLIST_NAME, "3 V7 N20 Q5 G" GUID " X\nodd\n7 :b\n");
}

/* What lies there with its date; the digest by another call of the library. */
static void
copied_message(void **state)
{
	static const size_t lengths[] = { 0, 1, 4096, 256 * 1024,
	    600 * 1024 + 7 };
	const struct timespec date[2] = { { 5, 6 }, { 1000000000, 123456789 } };
	struct message_copied whole, again;
	XXH128_canonical_t want;
	struct stat sb;
	struct err err;
	size_t i, n;
	char *text;
	int from, to;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		text = talloc_size(NULL, lengths[i] + 1);
		for (n = 0; n < lengths[i]; n++)
			text[n] = (char)(n * 31 % 251);
		from = openat(dfd, "from", O_RDWR | O_CREAT | O_TRUNC, 0600);
		to = openat(dfd, "to", O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(from, text, n), (ssize_t)n);
		assert_int_equal(futimens(from, date), 0);
		assert_int_equal(message_copy(from, to, &whole, &err), ST_OK);
		assert_int_equal(whole.size, n);
		XXH128_canonicalFromHash(&want, XXH3_128bits(text, n));
		assert_memory_equal(whole.digest, &want, sizeof(want));
		assert_int_equal(fstat(to, &sb), 0);
		assert_int_equal(sb.st_mtim.tv_sec, 1000000000);
		assert_int_equal(sb.st_mtim.tv_nsec, 123456789);
		assert_int_equal(sb.st_size, n);
		/* Read back, from its beginning, and written nowhere. */
		assert_int_equal(message_copy(to, -1, &again, &err), ST_OK);
		assert_memory_equal(&again, &whole, sizeof(whole));
		assert_int_equal(ftruncate(to, 0), 0);
		assert_int_equal(lseek(to, 0, SEEK_SET), 0);
		assert_int_equal(message_copy(from, to, NULL, &err), ST_OK);
		assert_int_equal(message_copy(to, -1, &again, &err), ST_OK);
		assert_memory_equal(again.digest, &want, sizeof(want));
		(void)close(from);
		(void)close(to);
		talloc_free(text);
	}
	assert_int_equal(unlinkat(dfd, "from", 0), 0);
	assert_int_equal(unlinkat(dfd, "to", 0), 0);
}

/* A fifo under the name of a message holds nobody up, and is no message. */
static void
fifo_is_no_message(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct location loc = { .mail = talloc_asprintf(ctx, "%s/m", dir) };
	struct message_copied copied;
	struct maildir *md;
	const char *sub;
	struct err err;
	char *file;
	int fd;

	(void)state;
	(void)alarm(20);
	assert_int_equal(maildir_open(ctx, &loc, "", NULL, true, &md, &err),
	    ST_OK);
	assert_int_equal(mkfifoat(md->cur, "123.a:2,S", 0600), 0);
	assert_int_equal(maildir_open_message(ctx, md, "123.a", &sub, &file,
	    &fd, &err), ST_OK);
	assert_string_equal(sub, "cur");
	assert_string_equal(file, "123.a:2,S");
	assert_int_equal(message_copy(fd, -1, &copied, &err), ST_AGAIN);
	(void)close(fd);
	(void)alarm(0);
	assert_int_equal(unlinkat(md->cur, file, 0), 0);
	assert_int_equal(unlinkat(md->root, "cur", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(md->root, "new", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(md->root, "tmp", AT_REMOVEDIR), 0);
	talloc_free(ctx);
	assert_int_equal(unlinkat(dfd, "m", AT_REMOVEDIR), 0);
}

static enum status
append_to(const char *name, struct err *err)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct mbox *mb = NULL;
	enum status st;

	st = mbox_begin(ctx, talloc_asprintf(ctx, "%s/%s", dir, name), "", true,
	    1000, &mb, err);
	if (st == ST_OK)
		st = mbox_put(mb, "a: b\n\nc\n", 8, err);
	if (st == ST_OK)
		st = mbox_end(mb, err);
	talloc_free(ctx);
	return st;
}

/* A link to an mbox is followed where its owner is the caller, as is the one
 * that it leads to; nothing is written through the link of another user. */
static void
mbox_behind_a_link(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(symlinkat("second", dfd, "link"), 0);
	assert_int_equal(symlinkat("mbox", dfd, "second"), 0);
	assert_int_equal(append_to("link", &err), ST_OK);
	is("mbox", "a: b\n\nc\n\n");
	if (geteuid() == 0) {
		assert_int_equal(fchownat(dfd, "link", 1, (gid_t)-1,
		    AT_SYMLINK_NOFOLLOW), 0);
		assert_int_not_equal(append_to("link", &err), ST_OK);
		assert_int_equal(err.code, ELOOP);
		is("mbox", "a: b\n\nc\n\n");
	}
	assert_int_equal(unlinkat(dfd, "link", 0), 0);
	assert_int_equal(unlinkat(dfd, "second", 0), 0);
	assert_int_equal(unlinkat(dfd, "mbox", 0), 0);
}

/* A copy that lacks something is none. */
static void
copy_that_fails(void **state)
{
	struct message_copied copied;
	struct err err;
	int full = open("/dev/full", O_WRONLY), from, text;

	(void)state;
	put("from", "a message\n");
	from = openat(dfd, "from", O_RDONLY);
	assert_int_equal(message_copy(from, full, &copied, &err), ST_AGAIN);
	assert_int_equal(err.code, ENOSPC);
	assert_int_equal(message_copy(-1, -1, &copied, &err), ST_AGAIN);
	/* It says that it has no bytes, and gives some. */
	text = open("/proc/self/status", O_RDONLY);
	assert_int_equal(message_copy(text, -1, &copied, &err), ST_AGAIN);
	assert_non_null(strstr(err.text, "of 0 bytes"));
	(void)close(text);
	(void)close(from);
	(void)close(full);
	assert_int_equal(unlinkat(dfd, "from", 0), 0);
}

static long
peak_kb(void)
{
	struct rusage ru;

	assert_int_equal(getrusage(RUSAGE_SELF, &ru), 0);
	return ru.ru_maxrss;
}

/* Written, scanned and written anew in constant memory. */
static void
million_lines(void **state)
{
	enum { MANY = 1000000 };
	struct uidlist_line line = { .keys = " W1234 " };
	struct uidlist_writer *w;
	struct uidlist_scan *scan;
	struct uidlist ul = { .fd = -1 };
	struct err err;
	char name[100];
	uint32_t uid;
	long before;

	(void)state;
	before = peak_kb();
	assert_int_equal(uidlist_write_begin(NULL, dfd, 7, 1, GUID, 0600,
	    (gid_t)-1, &w, &err), ST_OK);
	line.name = name;
	for (uid = 1; uid <= MANY; uid++) {
		(void)snprintf(name, sizeof(name),
		    "%u.M1P1Q1R1.mail.example.test,S=%u,W=9", uid, uid);
		line.uid = uid * 4;
		if (uidlist_write_put(w, &line, &err) != ST_OK)
			fail_msg("%s", err.text);
	}
	assert_int_equal(uidlist_write_commit(w, &ul, &err), ST_OK);
	assert_true(ul.size > 50 * MANY);
	assert_int_equal(uidlist_raise(&ul, dfd, 4 * MANY + 77, &err), ST_OK);
	scan = uidlist_scan_begin(NULL, &ul);
	for (uid = 1; uid <= MANY; uid++)
		if (uidlist_scan_next(scan, &line, &err) != ST_OK ||
		    line.uid != uid * 4)
			fail_msg("line %u", uid);
	assert_string_equal(line.name,
	    "1000000.M1P1Q1R1.mail.example.test,S=1000000,W=9");
	assert_int_equal(uidlist_scan_next(scan, &line, &err), ST_NONE);
	talloc_free(scan);
	uidlist_close(&ul);
#ifndef __SANITIZE_ADDRESS__	/* which keeps what was freed */
	assert_true(peak_kb() - before < 4096);
#else
	(void)before;
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_is_the_higher_of_two),
		cmocka_unit_test(refused_lists),
		cmocka_unit_test(torn_line_goes_before_the_next),
		cmocka_unit_test(new_files),
		cmocka_unit_test(renewed_list),
		cmocka_unit_test(lines_from_the_end),
		cmocka_unit_test(colon_in_a_key),
		cmocka_unit_test(scan_gives_all),
		cmocka_unit_test(scan_meets_damage),
		cmocka_unit_test(written_list),
		cmocka_unit_test(rewritten_as_it_was),
		cmocka_unit_test(million_lines),
		cmocka_unit_test(copied_message),
		cmocka_unit_test(copy_that_fails),
		cmocka_unit_test(fifo_is_no_message),
		cmocka_unit_test(mbox_behind_a_link),
	};

	return run_files(tests, sizeof(tests) / sizeof(tests[0]), UIDLIST_NAME);
}
