/* SPDX-License-Identifier: ISC */
/*
 * connect.c - can another user reach a unix socket?
 */
#include "admin/doctor/connect.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child; its exit status is the errno. */
static int
connect_as(const char *path, const char *root, const struct passwd *pw)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		return ENAMETOOLONG;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd == -1 || (root != NULL && (chroot(root) == -1 ||
	    chdir("/") == -1)))
		return errno;
	if (pw != NULL && geteuid() == 0 && (initgroups(pw->pw_name,
	    pw->pw_gid) == -1 || setgid(pw->pw_gid) == -1 ||
	    setuid(pw->pw_uid) == -1))
		return errno;
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
	    errno == EAGAIN ? 0 : errno;
}

int
doctor_connect(const char *path, const char *root, const char *user)
{
	const struct passwd *pw = user == NULL ? NULL : getpwnam(user);
	int status = 0;
	pid_t pid;

	if (user != NULL && pw == NULL)
		return ESRCH;
	pid = fork();
	if (pid == 0)
		_exit(connect_as(path, root, pw));
	if (pid == -1)
		return errno;
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}
