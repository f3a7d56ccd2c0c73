/* SPDX-License-Identifier: ISC */
/*
 * validity.c - dovecot-uidvalidity, from which a new mailbox gets its
 * UIDVALIDITY
 *
 * The value stands in the name of an empty file, `dovecot-uidvalidity.HEX`, and
 * is moved on by rename(2), so that two processes cannot take the same one.
 * The file without a value in its name only says which name to try first.
 */
#include "lda/store/validity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "maps/base/file.h"

#define DIGITS		8
#define TRIES		10	/* as Dovecot; others move it, too */
#define NAME_SIZE	(sizeof(VALIDITY_NAME) + 1 + DIGITS)

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to eight digits, all of text; 0 where they are none. */
static uint32_t
parse(const char *text, size_t len)
{
	uint32_t v = 0;
	size_t i;
	int d;

	if (len > DIGITS)
		return 0;
	for (i = 0; i < len; i++) {
		d = digit(text[i]);
		if (d == -1)
			return 0;
		v = v * 16 + (uint32_t)d;
	}
	return v;
}

static enum status
read_hint(int root, uint32_t *value, struct err *err)
{
	char buf[DIGITS];
	ssize_t n;
	int fd;

	*value = 0;
	fd = openat(root, VALIDITY_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? ST_OK :
		    err_sys(err, "open %s", VALIDITY_NAME);
	n = pread(fd, buf, sizeof(buf), 0);
	(void)close(fd);
	if (n == -1)
		return err_sys(err, "read %s", VALIDITY_NAME);
	*value = parse(buf, (size_t)n);
	return ST_OK;
}

/* The highest value in a name; where two raced, there are several. */
static enum status
read_names(int root, uint32_t *value, struct err *err)
{
	const size_t skip = strlen(VALIDITY_NAME ".");
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	enum status st = ST_OK;
	struct dirent *de;
	uint32_t v;

	*value = 0;
	if (dir == NULL) {
		st = err_sys(err, "read the directory of %s", VALIDITY_NAME);
		if (fd != -1)
			(void)close(fd);
		return st;
	}
	for (errno = 0; (de = readdir(dir)) != NULL; errno = 0) {
		if (strncmp(de->d_name, VALIDITY_NAME ".", skip) != 0)
			continue;
		v = parse(de->d_name + skip, strlen(de->d_name + skip));
		if (v > *value)
			*value = v;
	}
	if (errno != 0)
		st = err_sys(err, "read the directory of %s", VALIDITY_NAME);
	(void)closedir(dir);
	return st;
}

enum status
validity_read(int root, uint32_t *value, struct err *err)
{
	uint32_t hint = 0;
	enum status st;

	st = read_names(root, value, err);
	if (st == ST_OK)
		st = read_hint(root, &hint, err);
	if (hint > *value)
		*value = hint;
	return st;
}

static void
name_of(char buf[NAME_SIZE], uint32_t value)
{
	(void)snprintf(buf, NAME_SIZE, VALIDITY_NAME ".%08lx",
	    (unsigned long)value);
}

/* The name says it; written in place, as Dovecot does. */
static enum status
write_hint(int root, uint32_t value, mode_t mode, gid_t gid, struct err *err)
{
	enum status st = ST_OK;
	char buf[DIGITS + 1];
	int fd;

	fd = openat(root, VALIDITY_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_sys(err, "open %s", VALIDITY_NAME);
	(void)snprintf(buf, sizeof(buf), "%08lx", (unsigned long)value);
	if (file_permit(fd, mode, gid) == -1 ||
	    pwrite(fd, buf, DIGITS, 0) != DIGITS)
		st = err_sys(err, "write %s", VALIDITY_NAME);
	(void)close(fd);
	return st;
}

/* ENOENT: somebody else has moved it on. */
static int
move_name(int root, uint32_t from, uint32_t to, mode_t mode, gid_t gid)
{
	char was[NAME_SIZE], is[NAME_SIZE];
	int fd, rc;

	name_of(is, to);
	if (from != 0) {
		name_of(was, from);
		return renameat(root, was, root, is);
	}
	fd = openat(root, is, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	rc = file_permit(fd, mode, gid);
	(void)close(fd);
	return rc;
}

enum status
validity_raise(int root, uint32_t value, mode_t mode, gid_t gid,
    struct err *err)
{
	enum status st;
	uint32_t now;
	int i;

	for (i = 0; i < TRIES; i++) {
		st = read_names(root, &now, err);
		if (st != ST_OK || now >= value)
			return st;
		if (move_name(root, now, value, mode, gid) == 0)
			return write_hint(root, value, mode, gid, err);
		if (errno != ENOENT)
			return err_sys(err, "move %s on", VALIDITY_NAME);
	}
	return err_set(err, ST_AGAIN, "%s keeps moving", VALIDITY_NAME);
}
