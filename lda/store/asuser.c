/* SPDX-License-Identifier: ISC */
/*
 * asuser.c - work on a user's mail as the user, in a child process
 *
 * On the pipe a line of the work has a dot before it; the last line is the outcome
 * and why.
 */
#include "lda/store/asuser.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/base/file.h"

/* Whose mail it is.  A virtual user's is its Maildir's owner's: one account has
 * that of many.  Root where there is none yet. */
static enum status
whose(const struct record *rec, uid_t *uid, gid_t *gid, struct err *err)
{
	enum side lead = record_leader(rec);
	const char *mail;
	struct stat sb;
	int i;

	*uid = rec->uid < 0 ? 0 : (uid_t)rec->uid;
	*gid = 0;
	for (i = 0; rec->uid < 0 && i < 2; i++) {
		mail = rec->side[i == 0 ? lead : lead == OLD ? NEW : OLD].mail;
		if (mail == NULL)
			continue;
		if (stat(mail, &sb) == 0) {
			*uid = sb.st_uid;
			*gid = sb.st_gid;
			return ST_OK;
		}
		if (errno != ENOENT)
			return err_sys(err, "%s", mail);
	}
	return ST_OK;
}

static enum status
become_user(const struct record *rec, struct err *err)
{
	struct passwd *pw;
	enum status st;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return ST_OK;
	st = whose(rec, &uid, &gid, err);
	if (st != ST_OK || uid == 0)
		return st;
	pw = getpwuid(uid);
	if (pw == NULL && rec->uid >= 0)
		return err_set(err, ST_NEVER, "uid %ld of %s is no system user",
		    rec->uid, rec->user);
	if (pw != NULL)
		gid = pw->pw_gid;
	if ((pw != NULL ? initgroups(pw->pw_name, gid) : setgroups(1, &gid)) == -1 ||
	    setgid(gid) == -1 || setuid(uid) == -1)
		return err_sys(err, "become uid %ld", (long)uid);
	return ST_OK;
}

static void NORETURN
child(const struct record *rec, int deadline, as_user_fn *fn, void *arg, int out)
{
	struct err err;
	char line[sizeof(err.text) + 16];
	enum status st;
	int n;

	umask(077);
	(void)alarm((unsigned)deadline);
	st = become_user(rec, &err);
	if (st == ST_OK)
		st = fn(arg, out, &err);
	n = snprintf(line, sizeof(line), "%s %s\n", status_name(st),
	    st == ST_OK || st == ST_NONE ? "" : err.text);
	_exit(file_write(out, line, (size_t)n) == -1);
}

static enum status
read_lines(FILE *in, as_user_line_fn *fn, void *arg, struct err *err)
{
	char line[sizeof(err->text) + 5000];

	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '.')
			fn(line + 1, arg);
		else if (strncmp(line, "ok", 2) == 0)
			return ST_OK;
		else if (strncmp(line, "none", 4) == 0)
			return ST_NONE;
		else if (strncmp(line, "never ", 6) == 0)
			return err_set(err, ST_NEVER, "%s", line + 6);
		else if (strncmp(line, "again ", 6) == 0)
			return err_set(err, ST_AGAIN, "%s", line + 6);
		else
			break;
	}
	return err_set(err, ST_AGAIN, "it did not end in time: a filer hangs, or a "
	    "mailbox stays locked");
}

enum status
as_user(const struct record *rec, int deadline, as_user_fn *fn, void *arg,
    as_user_line_fn *line, void *line_arg, struct err *err)
{
	int pipefd[2], status;
	enum status st;
	FILE *in;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) == -1)
		return err_sys(err, "pipe");
	pid = fork();
	if (pid == -1) {
		st = err_sys(err, "fork");
		(void)close(pipefd[0]);
		(void)close(pipefd[1]);
		return st;
	}
	if (pid == 0) {
		(void)close(pipefd[0]);
		child(rec, deadline, fn, arg, pipefd[1]);
	}
	(void)close(pipefd[1]);
	in = fdopen(pipefd[0], "r");
	st = in == NULL ? err_sys(err, "fdopen") :
	    read_lines(in, line, line_arg, err);
	if (in != NULL)
		(void)fclose(in);
	(void)kill(pid, SIGKILL);	/* it has answered, or hangs in a filer */
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return st;
}
