/*
 * doctor.c - the markers of the filers, made and looked at
 *
 * A marker is a file in the root of a filer.  Where it is not there the filer is
 * not mounted, and nobody may take the empty directory under it for one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin.h"
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
	file = openat(fd, FILER_MARKER, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
	if (file == -1 && errno != EEXIST)
		st = err_sys(err, "create %s/%s (a filer with root_squash: make it "
		    "there, owned by root)", dir, FILER_MARKER);
	if (file != -1 && (fchmod(file, 0644) == -1 ||
	    file_write(file, text, sizeof(text) - 1) == -1 ||
	    fsync(file) == -1 || fsync(fd) == -1))
		st = err_sys(err, "write %s/%s", dir, FILER_MARKER);
	if (file != -1 && close(file) == -1 && st == ST_OK)
		st = err_sys(err, "close %s/%s", dir, FILER_MARKER);
	(void)close(fd);
	return st;
}

int
verb_doctor(struct admin *ad, struct err *err)
{
	bool init = ad->argc == 1 && strcmp(ad->argv[0], "--init") == 0;
	enum status st, worst = ST_OK;
	struct err one;
	int s;

	if (ad->argc > 1 || (ad->argc == 1 && !init))
		return EXIT_USAGE;
	for (s = OLD; s <= NEW; s++) {
		if (ad->conf->filer[s] == NULL) {
			(void)printf("%s_filer is not set: nothing tells a filer "
			    "that is not mounted\n", side_name(s));
			continue;
		}
		st = init ? make_marker(ad, ad->conf->filer[s], &one) : ST_OK;
		if (st == ST_OK && !(init && ad->dry_run))
			st = filer_check(ad->conf->filer[s], &one);
		(void)printf("%s %s: %s\n", side_name(s), ad->conf->filer[s],
		    st == ST_OK ? "ok" : one.text);
		if (st != ST_OK)
			worst = err_set(err, ST_NEVER, "%s", one.text);
	}
	return admin_status(worst);
}
