/* SPDX-License-Identifier: ISC */
/*
 * filers.c - the filers: their markers, made and looked at; their clocks
 *
 * A marker is a file in the root of a filer.  Where it is not there the filer
 * is not mounted, and nobody may take the empty directory under it for one.
 */
#include "admin/doctor/filers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/maildir.h"
#include "maps/base/file.h"

static bool
is_mount_point(const char *dir)
{
	char *up = must(talloc_asprintf(NULL, "%s/..", dir));
	struct stat here, above;
	bool is;

	is = stat(dir, &here) == 0 && stat(up, &above) == 0 &&
	    (here.st_dev != above.st_dev || here.st_ino == above.st_ino);
	talloc_free(up);
	return is;
}

static enum status
make_marker(const struct admin *ad, const char *dir, struct err *err)
{
	static const char text[] = "mailferry looks for this file before it "
	    "delivers here: do not remove it.\n";
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), file;
	enum status st = ST_OK;
	struct stat sb;

	if (fd == -1)
		return err_sys(err, "%s", dir);
	if (!is_mount_point(dir))
		(void)fprintf(stderr, "mailferry: warning: %s is not a mount "
		    "point: is the filer mounted?\n", dir);
	if (ad->dry_run) {
		(void)printf("%s/%s would be made\n", dir, FILER_MARKER);
		(void)close(fd);
		return ST_OK;
	}
	file = openat(fd, FILER_MARKER, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0644);
	if (file == -1 && errno != EEXIST)
		st = err_sys(err, "create %s/%s (a filer with root_squash: "
		    "make it there, owned by root)", dir, FILER_MARKER);
	if (file != -1 && fstat(file, &sb) == 0 && sb.st_uid != geteuid()) {
		(void)unlinkat(fd, FILER_MARKER, 0);
		st = err_set(err, ST_NEVER, "%s/%s would not be ours, but uid "
		    "%ld's (a filer with root_squash: make it there, owned by "
		    "root)", dir, FILER_MARKER, (long)sb.st_uid);
	} else if (file != -1 && (fchmod(file, 0644) == -1 ||
	    file_write(file, text, sizeof(text) - 1) == -1 ||
	    fsync(file) == -1 || fsync(fd) == -1))
		st = err_sys(err, "write %s/%s", dir, FILER_MARKER);
	if (file != -1 && close(file) == -1 && st == ST_OK)
		st = err_sys(err, "close %s/%s", dir, FILER_MARKER);
	(void)close(fd);
	return st;
}

enum status
doctor_init(struct doctor *d, struct err *err)
{
	enum status st = ST_OK;
	int s;

	for (s = OLD; s <= NEW && st == ST_OK; s++)
		if (d->ad->conf->filer[s] != NULL)
			st = make_marker(d->ad, d->ad->conf->filer[s], err);
	return st;
}

/* A new file there has the filer's time; where root may not make one
 * nothing is said. */
static bool
clock_of(const char *dir, long long *ahead)
{
	char *name = must(talloc_asprintf(NULL, "%s/.mailferry-clock.XXXXXX",
	    dir));
	int fd = mkostemp(name, O_CLOEXEC);
	struct stat sb;
	bool known;

	known = fd != -1 && fstat(fd, &sb) == 0;
	if (known)
		*ahead = (long long)sb.st_ctime - (long long)time(NULL);
	if (fd != -1) {
		(void)unlink(name);
		(void)close(fd);
	}
	talloc_free(name);
	return known;
}

static void
look_at_clock(struct doctor *d, const char *what, const char *dir)
{
	int skew = d->ad->conf->skew;
	long long ahead;

	if (!clock_of(dir, &ahead))
		return;
	if (ahead > skew || ahead < -skew)
		found(d, BAD, what, "run an NTP client on this host and on the "
		    "filer (or set skew to what you can promise)",
		    "its clock is %lld seconds %s ours, and skew is %d",
		    ahead > 0 ? ahead : -ahead, ahead > 0 ? "ahead of" :
		    "behind", skew);
}

static void
look_at_one(struct doctor *d, enum side side)
{
	const char *dir = d->ad->conf->filer[side];
	char *what;
	struct err err;

	if (dir == NULL) {
		found(d, WARN, side_name(side), side == OLD ?
		    "old_filer = MOUNT POINT, then mailferry doctor --init" :
		    "new_filer = MOUNT POINT, then mailferry doctor --init",
		    "%s_filer is not set: nothing shows that a filer is not "
		    "mounted", side_name(side));
		return;
	}
	what = must(talloc_asprintf(d->ad->conf, "%s %s", side_name(side),
	    dir));
	if (filer_check(dir, &err) != ST_OK) {
		found(d, BAD, what, "mount it; if it is mounted: mailferry "
		    "doctor --init", "%s", err.text);
		return;
	}
	found(d, FINE, what, NULL, "%s", is_mount_point(dir) ? "" :
	    "but it is not a mount point");
	look_at_clock(d, what, dir);
}

void
doctor_filers(struct doctor *d)
{
	const struct conf *conf = d->ad->conf;
	struct stat a, b;

	if (strcmp(conf->map, "none") == 0 && conf->filer[OLD] == NULL &&
	    conf->filer[NEW] == NULL)
		return;			/* no user migrates */
	look_at_one(d, OLD);
	look_at_one(d, NEW);
	if (conf->filer[OLD] != NULL && conf->filer[NEW] != NULL &&
	    stat(conf->filer[OLD], &a) == 0 && stat(conf->filer[NEW],
	    &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		found(d, BAD, "filers", "name the two mount points",
		    "old_filer and new_filer are the same directory");
}
