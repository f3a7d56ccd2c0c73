/* SPDX-License-Identifier: ISC */
/*
 * bare.c - a delivery's bare system calls, with the durability of a real one
 *
 *	bare MAILDIR [MAILDIR]		the message on standard input
 *
 * File written and synced, line appended and synced, renamed, directory synced.
 * No lock, no map, no log, no question whether anything is right.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char buf[128 * 1024];

int
main(int argc, char **argv)
{
	int dir[2], new[2], list[2], fd[2], n = argc - 1, i;
	char name[100], path[120], to[120], line[200];
	struct timespec ts;
	ssize_t len, all = 0;
	struct stat sb;

	while ((len = read(0, buf + all, sizeof(buf) - (size_t)all)) > 0)
		all += len;
	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(name, sizeof(name), "%ld.M%ldP%d.bare", (long)ts.tv_sec,
	    ts.tv_nsec / 1000, (int)getpid());
	snprintf(path, sizeof(path), "tmp/%s", name);
	for (i = 0; i < n; i++) {
		dir[i] = open(argv[i + 1], O_RDONLY | O_DIRECTORY);
		fd[i] = openat(dir[i], path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd[i] == -1 || write(fd[i], buf, (size_t)all) != all ||
		    fsync(fd[i]) == -1)
			return 1;
	}
	snprintf(to, sizeof(to), "new/%s,S=%ld", name, (long)all);
	for (i = 0; i < n; i++) {
		list[i] = openat(dir[i], "dovecot-uidlist",
		    O_RDWR | O_CREAT | O_APPEND, 0600);
		if (fstat(list[i], &sb) == -1 ||
		    pread(list[i], line, sizeof(line),
			sb.st_size > 200 ? sb.st_size - 200 : 0) == -1)
			return 1;
		len = snprintf(
		    line, sizeof(line), "%ld :%s\n", (long)sb.st_size, to + 4);
		if (write(list[i], line, (size_t)len) != len ||
		    fdatasync(list[i]) == -1)
			return 1;
	}
	for (i = n - 1; i >= 0; i--) {
		new[i] = openat(dir[i], "new", O_RDONLY | O_DIRECTORY);
		if (renameat(dir[i], path, dir[i], to) == -1 ||
		    fsync(new[i]) == -1)
			return 1;
	}
	return 0;
}
