/* SPDX-License-Identifier: ISC */
/*
 * file.c - whole files, whole writes, directories that are synced
 */
#include "maps/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

int
file_write(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0) {		/* no file system of Linux does that */
			errno = EIO;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
file_pread(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	if (n == -1)
		return -1;
	if ((size_t)n != len) {
		errno = EIO;
		return -1;
	}
	return 0;
}

int
file_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t n = pwrite(fd, buf, len, off);

	if (n == -1)
		return -1;
	if ((size_t)n != len) {		/* a full disk can do that */
		errno = ENOSPC;
		return -1;
	}
	return 0;
}

enum status
file_read(TALLOC_CTX *ctx, int dirfd, const char *name, size_t limit,
    char **data, size_t *len, struct err *err)
{
	enum status status = ST_OK;
	struct stat st;
	size_t have = 0;
	char *buf = NULL;
	ssize_t n;
	int fd;

	/* O_NONBLOCK: a fifo in a file's place must not hang us. */
	fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC |
	    (dirfd == AT_FDCWD ? 0 : O_NOFOLLOW));
	if (fd == -1)
		return errno == ENOENT ? ST_NONE : err_sys(err, "open %s",
		    name);
	if (fstat(fd, &st) == -1) {
		status = err_sys(err, "stat %s", name);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		status = err_set(err, ST_NEVER, "%s: not a regular file", name);
		goto out;
	}
	if ((uintmax_t)st.st_size > limit) {
		status = err_set(err, ST_NEVER, "%s: longer than %zu bytes",
		    name, limit);
		goto out;
	}
	buf = must(talloc_size(ctx, (size_t)st.st_size + 1));
	while (have < (size_t)st.st_size) {
		n = read(fd, buf + have, (size_t)st.st_size - have);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			status = err_sys(err, "read %s", name);
			goto out;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	buf[have] = '\0';
	*data = buf;
	*len = have;
out:
	(void)close(fd);
	if (status != ST_OK)
		talloc_free(buf);
	return status;
}

enum status
file_replace(int dirfd, const char *name, const void *data, size_t len,
    mode_t mode, struct err *err)
{
	enum status status = ST_OK;
	char *tmp;
	int fd;

	tmp = must(talloc_asprintf(NULL, "%s.tmp", name));
	(void)unlinkat(dirfd, tmp, 0);
	fd = openat(dirfd, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd == -1) {
		status = err_sys(err, "create %s", tmp);
		goto free;
	}
	if (fchmod(fd, mode) == -1 || file_write(fd, data, len) == -1 ||
	    fsync(fd) == -1)
		status = err_sys(err, "write %s", tmp);
	if (close(fd) == -1 && status == ST_OK)	/* quota and NFS speak here */
		status = err_sys(err, "close %s", tmp);
	if (status == ST_OK && renameat(dirfd, tmp, dirfd, name) == -1)
		status = err_sys(err, "rename %s to %s", tmp, name);
	if (status != ST_OK)
		(void)unlinkat(dirfd, tmp, 0);
	else if (fsync(dirfd) == -1)
		status = err_sys(err, "fsync the directory of %s", name);
free:
	talloc_free(tmp);
	return status;
}

int
file_ask(int fd, struct statx *sx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
	    STATX_BASIC_STATS, sx) == -1)
		return -1;
	/* No block device behind it: perhaps a network. */
	if (S_ISREG(sx->stx_mode) && sx->stx_dev_major == 0)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

int
file_permit(int fd, mode_t mode, gid_t gid)
{
	if (gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) == -1) {
		if (errno != EPERM)
			return -1;
		mode &= (mode_t)~070;
	}
	return mode == 0600 ? 0 : fchmod(fd, mode);
}

void
file_standard(void)
{
	struct pollfd fds[3] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };
	int fd;

	if (poll(fds, 3, 0) < 1 || ((fds[0].revents | fds[1].revents |
	    fds[2].revents) & POLLNVAL) == 0)
		return;
	do
		fd = open("/dev/null", O_WRONLY);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}
