/* SPDX-License-Identifier: ISC */
/*
 * decide_fuzz.c - undecided intents of any content never reach beyond tmp/
 *
 * Two Maildirs, the leader's log and the follower's with whole intents in them.
 * Input, a line each: `L` or `F`, then
 *
 *	slot I SEQ AGE UID OUTCOME NAME		an intent, AGE seconds ago
 *	tmp NAME	new NAME	cur NAME	a file
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lda/store/deliveries_disk.h"
#include "lda/store/recover.h"

#define NOW	1700000000
#define KEEP	(5 * 86400)
#define GUID	"0123456789abcdef0123456789abcdef"
#define LIST	"3 V1 N10 G" GUID "\n3 :three\n5 :five\n"
#define KEPT	"what nobody may touch"

static const char *const sides[] = { "L", "F" };

static void
put_slot(int dir, char *line)
{
	struct disk_slot ds = { .seq = 0 };
	unsigned long i = strtoul(fuzz_word(&line), NULL, 10) %
	    DELIVERIES_SLOTS;
	const char *name;
	int fd;

	ds.seq = htole64(strtoul(fuzz_word(&line), NULL, 10));
	ds.at = htole64(NOW - strtoul(fuzz_word(&line), NULL, 10));
	ds.uid = htole32((uint32_t)strtoul(fuzz_word(&line), NULL, 10));
	ds.outcome = htole32((uint32_t)strtoul(fuzz_word(&line), NULL, 10));
	name = fuzz_word(&line);
	memcpy(ds.name, name, strlen(name) > MAILDIR_NAME_MAX ?
	    MAILDIR_NAME_MAX : strlen(name));
	ds.key[0] = (unsigned char)(1 + i);
	ds.crc = CRC_OF(&ds);
	fd = openat(dir, DELIVERIES_NAME, O_WRONLY | O_CLOEXEC);
	HOLDS(pwrite(fd, &ds, sizeof(ds), (off_t)((1 + i) * SECTOR)) ==
	    (ssize_t)sizeof(ds));
	(void)close(fd);
}

/* A file as it may be there; a name that is none is left out. */
static void
put_file(int dir, const char *sub, const char *name)
{
	char path[300];
	int fd;

	if (*name == '\0' || strchr(name, '/') != NULL ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strlen(name) > 250)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", sub, name);
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	HOLDS(fd != -1 && write(fd, name, strlen(name)) > 0);
	(void)close(fd);
}

static void
make_side(int i)
{
	int dir = fuzz_subdir(fuzz_dir(), sides[i]), sub;
	static const char *const subs[] = { "tmp", "new", "cur", NULL };
	struct deliveries d;
	struct err err;
	int s;

	for (s = 0; subs[s] != NULL; s++) {
		sub = fuzz_subdir(dir, subs[s]);
		(void)close(sub);
	}
	fuzz_put(dir, UIDLIST_NAME, LIST, strlen(LIST));
	fuzz_put(dir, "keep", KEPT, strlen(KEPT));
	HOLDS(deliveries_make(&d, dir, 0600, (gid_t)-1, &err) == ST_OK);
	deliveries_close(&d);
	(void)close(dir);
}

static void
put_line(char *line)
{
	const char *side = fuzz_word(&line), *what;
	int dir;

	if (strcmp(side, "L") != 0 && strcmp(side, "F") != 0)
		return;
	dir = openat(fuzz_dir(), side, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	what = fuzz_word(&line);
	if (strcmp(what, "slot") == 0)
		put_slot(dir, line);
	else if (strcmp(what, "tmp") == 0 || strcmp(what, "new") == 0 ||
	    strcmp(what, "cur") == 0)
		put_file(dir, what, fuzz_word(&line));
	(void)close(dir);
}

/* What lies beside is there, and only what belongs there. */
static void
check_beside(int i, unsigned files)
{
	int dir = fuzz_subdir(fuzz_dir(), sides[i]);

	HOLDS(fuzz_is(dir, "keep", KEPT, strlen(KEPT)));
	HOLDS(fuzz_count(dir) == files);
	(void)close(dir);
}

static void
open_box(TALLOC_CTX *ctx, struct mailbox *box, int i)
{
	struct location loc = { .mail = must(talloc_asprintf(ctx, "%s/%s",
	    fuzz_path(), sides[i])) };
	struct err err;

	*box = (struct mailbox){ .side = i == 0 ? OLD : NEW };
	HOLDS(maildir_open(ctx, &loc, "", NULL, false, &box->md,
	    &err) == ST_OK);
}

static void
check_log(const struct deliveries *d)
{
	int i;

	for (i = 0; i < DELIVERIES_SLOTS; i++)
		HOLDS(d->slot[i].outcome != OUTCOME_INTENT &&
		    d->slot[i].outcome != OUTCOME_LANDED);
}

static void
check(TALLOC_CTX *ctx)
{
	struct mailbox box[2];
	unsigned new_, cur;
	enum status st;
	struct err err;
	int i;

	open_box(ctx, &box[0], 0);
	open_box(ctx, &box[1], 1);
	new_ = fuzz_count(box[0].md->new);
	cur = fuzz_count(box[0].md->cur);
	for (i = 0; i < 2; i++)
		HOLDS(mailbox_lock(&box[i], false, 0, &err) == ST_OK);
	for (i = 0; i < 2; i++)
		HOLDS(mailbox_read(&box[i], false, &err) == ST_OK);
	st = recover_decide(&box[0], &box[1], NULL, NOW, KEEP, &err);
	if (st == ST_OK) {
		check_log(&box[0].log);
		check_log(&box[1].log);
	} else
		fuzz_err(&err);
	/* What the leader's client can see stays as it is. */
	HOLDS(fuzz_count(box[0].md->new) == new_ &&
	    fuzz_count(box[0].md->cur) == cur);
	HOLDS(fuzz_is(box[0].md->ctl, UIDLIST_NAME, LIST, strlen(LIST)));
	HOLDS(box[1].uids.next >= 10);
	mailbox_release(&box[1]);
	mailbox_release(&box[0]);
	for (i = 0; i < 2; i++)
		check_beside(i, 6);	/* tmp new cur, uidlist, log, keep */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	int i;

	fuzz_clear(fuzz_dir());
	fuzz_put(fuzz_dir(), "keep", KEPT, strlen(KEPT));
	make_side(0);
	make_side(1);
	for (i = 0; i < 40 && in.p < in.end; i++)
		put_line(fuzz_line(ctx, &in));
	check(ctx);
	HOLDS(fuzz_count(fuzz_dir()) == 3 &&
	    fuzz_is(fuzz_dir(), "keep", KEPT, strlen(KEPT)));
	talloc_free(ctx);
	return 0;
}
