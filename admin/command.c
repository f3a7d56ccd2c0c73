/* SPDX-License-Identifier: ISC */
/*
 * command.c - run another program and read what it says
 */
#include "admin/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/base/clock.h"

#define SBIN "/usr/local/sbin:/usr/sbin:/sbin"

static void NORETURN
child(const char *const argv[], int out)
{
	const char *path = getenv("PATH");
	int null = open("/dev/null", O_RDWR);

	(void)dup2(null, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	(void)setenv("PATH", must(talloc_asprintf(NULL, "%s:%s", path != NULL ?
	    path : "/usr/bin:/bin", SBIN)), 1);
	(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Until the end, too much, or too long. */
static void
read_all(int fd, char **text)
{
	long long end = clock_ms() + COMMAND_PATIENCE * 1000LL, left;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char buf[4096];
	size_t len = 0;
	ssize_t n;

	while (len < COMMAND_MAX && (left = end - clock_ms()) > 0) {
		if (poll(&pfd, 1, (int)left) != 1)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		*text = must(talloc_strndup_append_buffer(*text, buf,
		    (size_t)n));
		len += (size_t)n;
	}
}

enum status
command_read(TALLOC_CTX *ctx, const char *const argv[], char **text,
    struct err *err)
{
	int fd[2], status = 0;
	pid_t pid;

	*text = must(talloc_strdup(ctx, ""));
	if (pipe2(fd, O_CLOEXEC) == -1)
		return err_sys(err, "pipe");
	pid = fork();
	if (pid == 0)
		child(argv, fd[1]);
	(void)close(fd[1]);
	if (pid == -1) {
		(void)err_sys(err, "fork");
		(void)close(fd[0]);
		return ST_AGAIN;
	}
	read_all(fd[0], text);
	(void)close(fd[0]);
	if (waitpid(pid, &status, WNOHANG) == 0) {
		(void)poll(NULL, 0, 100);	/* it has closed, and ends */
		if (waitpid(pid, &status, WNOHANG) == 0) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
		}
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return ST_NONE;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ST_OK :
	    err_set(err, ST_AGAIN, "%s did not end well", argv[0]);
}

char *
command_value(TALLOC_CTX *ctx, const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *p = text;

	while (*p != '\0') {
		if (strncmp(p, name, len) == 0 && strncmp(p + len, " =",
		    2) == 0) {
			p += len + 2;
			p += *p == ' ';
			return must(talloc_strndup(ctx, p, strcspn(p, "\n")));
		}
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return NULL;
}
