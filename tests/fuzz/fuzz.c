/* SPDX-License-Identifier: ISC */
/*
 * fuzz.c - what the fuzz targets share
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[200];
static int dir = -1;

void
fuzz_broken(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

struct input
fuzz_input(const uint8_t *data, size_t size)
{
	const char *p = size == 0 ? "" : (const char *)data;

	return (struct input){ p, p + size };
}

char *
fuzz_line(TALLOC_CTX *ctx, struct input *in)
{
	const char *p = in->p, *lf;
	size_t len, i;
	char *line;

	lf = p == in->end ? NULL : memchr(p, '\n', (size_t)(in->end - p));
	len = (size_t)((lf == NULL ? in->end : lf) - p);
	in->p = lf == NULL ? in->end : lf + 1;
	line = must(talloc_size(ctx, len + 1));
	for (i = 0; i < len; i++)
		line[i] = p[i] == '\0' ? ' ' : p[i];
	line[len] = '\0';
	return line;
}

char *
fuzz_word(char **line)
{
	char *word = *line + strspn(*line, " ");
	char *end = word + strcspn(word, " ");

	*line = *end == '\0' ? end : end + 1;
	*end = '\0';
	return word;
}

char *
fuzz_lf(char *word)
{
	char *p;

	for (p = word; (p = strchr(p, '\001')) != NULL;)
		*p = '\n';
	return word;
}

void
fuzz_err(const struct err *err)
{
	const char *p;

	HOLDS(memchr(err->text, '\0', sizeof(err->text)) != NULL);
	HOLDS(err->text[0] != '\0');
	for (p = err->text; *p != '\0'; p++)
		HOLDS((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void
remove_dir(void)
{
	fuzz_clear(dir);
	(void)rmdir(path);
}

int
fuzz_dir(void)
{
	const char *base = getenv("TMPDIR");

	if (dir != -1)
		return dir;
	(void)snprintf(path, sizeof(path), "%s/mffuzz.XXXXXX",
	    base == NULL ? "/tmp" : base);
	if (mkdtemp(path) == NULL ||
	    (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1) {
		perror(path);
		exit(2);
	}
	(void)atexit(remove_dir);
	return dir;
}

const char *
fuzz_path(void)
{
	(void)fuzz_dir();
	return path;
}

void
fuzz_put(int dirfd, const char *name, const void *data, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	HOLDS(fd != -1 && write(fd, data, len) == (ssize_t)len);
	(void)close(fd);
}

char *
fuzz_get(TALLOC_CTX *ctx, int dirfd, const char *name, size_t *len)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat sb;
	char *buf;

	*len = 0;
	if (fd == -1)
		return NULL;
	HOLDS(fstat(fd, &sb) == 0);
	*len = (size_t)sb.st_size;
	buf = must(talloc_size(ctx, *len + 1));
	HOLDS(read(fd, buf, *len) == (ssize_t)*len);
	buf[*len] = '\0';
	(void)close(fd);
	return buf;
}

bool
fuzz_is(int dirfd, const char *name, const void *data, size_t len)
{
	size_t n;
	char *is = fuzz_get(NULL, dirfd, name, &n);
	bool same = n == len && (len == 0 || memcmp(is, data, len) == 0);

	talloc_free(is);
	return same;
}

static DIR *
walk(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	HOLDS(d != NULL);
	return d;
}

static bool
is_dot(const struct dirent *de)
{
	return strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
}

unsigned
fuzz_count(int dirfd)
{
	DIR *d = walk(dirfd);
	struct dirent *de;
	unsigned n = 0;

	while ((de = readdir(d)) != NULL)
		n += !is_dot(de);
	(void)closedir(d);
	return n;
}

void
fuzz_clear(int dirfd)
{
	DIR *d = walk(dirfd);
	struct dirent *de;
	int sub;

	while ((de = readdir(d)) != NULL) {
		if (is_dot(de))
			continue;
		sub = openat(dirfd, de->d_name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (sub != -1) {
			fuzz_clear(sub);
			(void)close(sub);
		}
		(void)unlinkat(dirfd, de->d_name, sub != -1 ? AT_REMOVEDIR : 0);
	}
	(void)closedir(d);
}

int
fuzz_subdir(int dirfd, const char *name)
{
	int fd;

	(void)mkdirat(dirfd, name, 0700);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	HOLDS(fd != -1);
	return fd;
}
