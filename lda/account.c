/* SPDX-License-Identifier: ISC */
/*
 * account.c - a system user, without NSS in this process
 */
#include "lda/account.h"

#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/base/file.h"

#define PASSWD_MAX	(64 * 1024 * 1024)
#define GETENT		"/usr/bin/getent"

/* Digits only, within 32 bits: 4294967296 must not become 0, which is root.
 * The highest id means "leave it" to chown(2) and the like. */
static bool
parse_id(const char *text, uint32_t *id)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	n = strtoull(text, &end, 10);
	*id = (uint32_t)n;
	return *end == '\0' && n < UINT32_MAX;
}

/* `name:x:uid:gid:gecos:home:shell`, cut in place. */
static struct account *
parse_line(TALLOC_CTX *ctx, char *line)
{
	char *field[7];
	struct account *a;
	int i;

	for (i = 0; i < 7; i++) {
		field[i] = line;
		line = strchr(line, ':');
		if (line == NULL && i < 6)
			return NULL;
		if (line != NULL)
			*line++ = '\0';
	}
	a = must(talloc(ctx, struct account));
	if (!parse_id(field[2], &a->uid) || !parse_id(field[3], &a->gid)) {
		talloc_free(a);
		return NULL;
	}
	a->name = must(talloc_strdup(a, field[0]));
	a->home = must(talloc_strdup(a, field[5]));
	a->shell = must(talloc_strdup(a, field[6]));
	return a;
}

/* The best line of `text`: by name the first match; by uid the one whose name
 * is `hint`, else the first match. */
static struct account *
best_of(TALLOC_CTX *ctx, char *text, const char *name, uid_t uid,
    const char *hint)
{
	struct account *best = NULL, *a;
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save)) {
		if (name != NULL && (strcspn(line, ":") != strlen(name) ||
		    strncmp(line, name, strlen(name)) != 0))
			continue;	/* a name has no colon */
		a = parse_line(ctx, line);
		if (a == NULL)
			continue;
		if (name != NULL || (a->uid == uid && hint != NULL &&
		    strcmp(a->name, hint) == 0)) {
			talloc_free(best);
			return a;
		}
		if (a->uid == uid && best == NULL)
			best = a;
		else
			talloc_free(a);
	}
	return best;
}

/* Run getent with its output into `out`; its pid, or -1. */
static pid_t
start_getent(const char *key, int out)
{
	const char *const argv[] = { "getent", "passwd", key, NULL };
	char *const envp[] = { NULL };
	posix_spawn_file_actions_t fa;
	pid_t pid = -1;

	if (posix_spawn_file_actions_init(&fa) != 0)
		return -1;
	/* If it hangs, it must not hold the message or Postfix's pipe. */
	if (posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null",
	    O_WRONLY, 0) != 0 ||
	    posix_spawn(&pid, GETENT, &fa, NULL,
	    (char *const *)(uintptr_t)argv, envp) != 0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&fa);
	return pid;
}

/* getent(1) has the NSS modules.  Its output ends at the latest when our
 * deadline ends this process. */
static enum status
ask_getent(TALLOC_CTX *ctx, const char *key, char **text, struct err *err)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) == -1)
		return err_sys(err, "pipe");
	pid = start_getent(key, fd[1]);
	(void)close(fd[1]);
	*text = must(talloc_size(ctx, 4097));
	while (pid != -1 && len < 4096 &&
	    (n = read(fd[0], *text + len, 4096 - len)) > 0)
		len += (size_t)n;
	(*text)[len] = '\0';
	(void)close(fd[0]);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return err_sys(err, "run %s", GETENT);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		return ST_NONE;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ST_OK :
	    err_set(err, ST_AGAIN, "%s could not look up %s", GETENT, key);
}

enum status
account_find(TALLOC_CTX *ctx, const char *name, uid_t uid, const char *hint,
    struct account **acct, struct err *err)
{
	char number[16], *text = NULL;
	enum status st;
	size_t len;

	st = file_read(ctx, AT_FDCWD, "/etc/passwd", PASSWD_MAX, &text, &len,
	    err);
	if (st == ST_OK) {
		*acct = best_of(ctx, text, name, uid, hint);
		talloc_free(text);
		if (*acct != NULL)
			return ST_OK;
	}
	(void)snprintf(number, sizeof(number), "%lu", (unsigned long)uid);
	/* getent would take `-name` for an option, and digits for a uid. */
	if (name != NULL && (name[0] == '-' ||
	    strspn(name, "0123456789") == strlen(name)))
		return ST_NONE;
	st = ask_getent(ctx, name != NULL ? name : number, &text, err);
	if (st != ST_OK)
		return st;
	*acct = best_of(ctx, text, name, uid, hint);
	return *acct != NULL ? ST_OK : ST_NONE;
}

enum status
account_become(const struct account *acct, struct err *err)
{
	gid_t gid = acct->gid;

	if (setgroups(1, &gid) == -1 || setgid(gid) == -1 ||
	    setuid(acct->uid) == -1)
		return err_sys(err, "become %s", acct->name);
	if (getuid() != acct->uid || geteuid() != acct->uid ||
	    getgid() != gid || getegid() != gid)
		return err_set(err, ST_AGAIN, "could not become %s",
		    acct->name);
	return ST_OK;
}
