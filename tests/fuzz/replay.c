/* SPDX-License-Identifier: ISC */
/*
 * replay.c - run a fuzz target once over files, without a fuzzer
 *
 * In the place of libFuzzer's main(), for any compiler: `make check-fuzz`.
 * Files and directories of files.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static int
run_file(const char *name)
{
	size_t len;
	char *data = fuzz_get(NULL, AT_FDCWD, name, &len);
	uint8_t *exact;

	if (data == NULL) {
		perror(name);
		return 0;
	}
	/* Of its very size: the sanitizer then sees a read past its end. */
	exact = malloc(len == 0 ? 1 : len);
	if (exact == NULL)
		exit(2);
	memcpy(exact, data, len);
	talloc_free(data);
	(void)fprintf(stderr, "%s\n", name);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

static int
run_dir(const char *name)
{
	DIR *d = opendir(name);
	struct dirent *de;
	char file[1000];
	int n = 0;

	if (d == NULL) {
		perror(name);
		return 0;
	}
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.') {
			(void)snprintf(file, sizeof(file), "%s/%s", name,
			    de->d_name);
			n += run_file(file);
		}
	(void)closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	struct stat sb;
	int i, n = 0;

	for (i = 1; i < argc; i++)
		n += stat(argv[i], &sb) == 0 && S_ISDIR(sb.st_mode) ?
		    run_dir(argv[i]) : run_file(argv[i]);
	return n > 0 ? 0 : 1;
}
