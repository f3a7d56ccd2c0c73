/* SPDX-License-Identifier: ISC */
/*
 * strangers.c - mail that came past the LDA to users on both sides
 *
 * Another host that still runs procmail, a backend's LMTP: what they deliver
 * lies on one side without a UID, until Dovecot numbers it.  Seen without a
 * lock, as the user: the newest files of the inboxes of some users.
 */
#include "admin/doctor/strangers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/asuser.h"
#include "lda/store/maildir.h"
#include "maps/base/file.h"

#define USERS_MAX	50		/* that are looked at */
#define FILES_MAX	200		/* of each inbox */
#define PATIENCE	10		/* seconds for each user */

struct searching {
	struct doctor	*d;
	unsigned	 users, strangers;
	char		*host;		/* of the first stranger */
	char		*example;
};

struct eye {
	const struct record	*rec;
	enum side		 side;
	int			 out;
};

/* Is it one of ours?  maildir_unique() writes `.M<usec>P<pid>Q<n>R<hex>.` */
static bool
is_ours(const char *name)
{
	const char *m = strstr(name, ".M"), *q, *r;

	q = m == NULL ? NULL : strchr(m, 'Q');
	r = q == NULL ? NULL : strchr(q, 'R');
	return r != NULL && strspn(r + 1, "0123456789abcdef") == 8;
}

/* Dovecot's own APPENDs: `.M<usec>P<pid>.host,S=`. */
static bool
is_dovecots(const char *name)
{
	return strstr(name, ",S=") != NULL && strstr(name, ".M") != NULL;
}

static enum status
look(void *arg, int out, struct err *err)
{
	const struct eye *e = arg;
	char *path = must(talloc_asprintf(NULL, "%s/new",
	    e->rec->side[e->side].mail)), line[400];
	struct dirent *de;
	struct stat sb;
	int files = 0, n;
	DIR *dir;

	dir = opendir(path);
	talloc_free(path);
	if (dir == NULL)
		return errno == ENOENT ? ST_OK : err_sys(err, "list new/");
	while ((de = readdir(dir)) != NULL && files++ < FILES_MAX) {
		if (de->d_name[0] == '.' || is_ours(de->d_name) ||
		    is_dovecots(de->d_name))
			continue;
		if (fstatat(dirfd(dir), de->d_name, &sb,
		    AT_SYMLINK_NOFOLLOW) == -1 || sb.st_mtime <= e->rec->at)
			continue;	/* from before the step */
		n = snprintf(line, sizeof(line), ".%.300s\n", de->d_name);
		if (file_write(out, line, (size_t)n) == -1)
			break;
		break;
	}
	(void)closedir(dir);
	return ST_OK;
}

/* The part behind the second dot is the host's name. */
static char *
host_of(TALLOC_CTX *ctx, const char *name)
{
	const char *p = strchr(name, '.');

	p = p == NULL ? NULL : strchr(p + 1, '.');
	return must(talloc_strndup(ctx, p == NULL ? "?" : p + 1, p == NULL ? 1 :
	    strcspn(p + 1, ",:")));
}

static void
on_line(const char *line, void *arg)
{
	struct searching *s = arg;

	if (s->strangers++ == 0) {
		s->host = host_of(s->d->ad->conf, line);
		s->example = must(talloc_strdup(s->d->ad->conf, line));
	}
}

static enum status
look_at_user(const struct record *rec, void *arg, struct err *err)
{
	struct searching *s = arg;
	struct eye e = { rec, record_leader(rec), -1 };

	(void)err;
	if (rec->state != STATE_OVERLAP && rec->state != STATE_SETTLE)
		return ST_OK;
	if (rec->side[e.side].mail == NULL || s->users++ >= USERS_MAX)
		return ST_OK;
	/* A filer that hangs is reported elsewhere. */
	(void)!as_user(rec, s->d->ad->conf, PATIENCE, look, &e, on_line, s,
	    err);
	return ST_OK;
}

void
doctor_strangers(struct doctor *d)
{
	struct searching s = { .d = d };
	struct err err;

	if (strcmp(d->ad->conf->map, "none") == 0 ||
	    map_each(d->ad->map, look_at_user, &s, &err) != ST_OK)
		return;
	if (s.strangers != 0)
		found(d, BAD, "deliveries", "let that host deliver by "
		    "mailferry-lda before any of its users is in overlap",
		    "another program delivers to %u user%s in overlap or "
		    "settle, to one side only: host %s, %s", s.strangers,
		    s.strangers == 1 ? "" : "s", s.host, s.example);
}
