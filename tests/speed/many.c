/* SPDX-License-Identifier: ISC */
/*
 * many.c - how many deliveries a second, by several processes at once
 *
 *	many ROUNDS COUNT PARALLEL USER INPUT NAME COMMAND...
 *	    [-- NAME COMMAND...]...
 *
 * In each round every command makes COUNT deliveries, PARALLEL of them at
 * once, so that a disturbance of the machine hits all commands alike.  The
 * order differs from round to round, because the pages that one command leaves
 * to be written slow down the next one.  `%` in an argument is the number of
 * the delivery modulo 100, for 100 mailboxes.  Prints a line for each command:
 * NAME and the median of its deliveries per second.
 */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shuffle.h"

#define MOST 4

static const struct passwd *pw;
static const char *input;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static char *
fill(const char *arg, int i)
{
	const char *p = strchr(arg, '%');
	size_t room = strlen(arg) + 8;
	char *out;

	if (p == NULL)
		return strdup(arg);
	out = malloc(room);
	snprintf(out, room, "%.*s%d%s", (int)(p - arg), arg, i % 100, p + 1);
	return out;
}

static void
child(char **argv, int i)
{
	char home[300], user[100], logname[100];
	char *env[] = { home, user, logname, "PATH=/usr/bin:/bin", NULL };
	int k;

	snprintf(home, sizeof(home), "HOME=%s", pw->pw_dir);
	snprintf(user, sizeof(user), "USER=%s", pw->pw_name);
	snprintf(logname, sizeof(logname), "LOGNAME=%s", pw->pw_name);
	for (k = 0; argv[k] != NULL; k++)
		argv[k] = fill(argv[k], i);
	dup2(open(input, O_RDONLY), 0);
	dup2(open("/dev/null", O_WRONLY), 1);
	if (setgroups(0, NULL) == -1 || setgid(pw->pw_gid) == -1 ||
	    setuid(pw->pw_uid) == -1)
		_exit(2);
	execve(argv[0], argv, env);
	_exit(2);
}

static double
run(char **argv, int count, int parallel)
{
	int running = 0, i = 0, status, failed = 0;
	double t = now();

	while (i < count || running > 0) {
		if (i < count && running < parallel) {
			if (fork() == 0)
				child(argv, i);
			running++;
			i++;
			continue;
		}
		wait(&status);
		failed += status != 0;
		running--;
	}
	if (failed > 0) {
		fprintf(stderr, "%s: %d failed\n", argv[0], failed);
		exit(1);
	}
	return (double)count / (now() - t);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	char *name[MOST], **command[MOST];
	double *rate[MOST];
	int rounds, order[MOST], n = 0, i, k, r;

	if (argc < 8 || (pw = getpwnam(argv[4])) == NULL)
		return 2;
	rounds = atoi(argv[1]);
	input = argv[5];
	for (i = 6; i < argc && n < MOST; n++) {
		name[n] = argv[i++];
		command[n] = &argv[i];
		rate[n] = calloc((size_t)rounds, sizeof(double));
		while (i < argc && strcmp(argv[i], "--") != 0)
			i++;
		if (i < argc)
			argv[i++] = NULL;
	}
	for (r = 0; r < rounds; r++)
		for (shuffle(order, n), k = 0; k < n; k++)
			rate[order[k]][r] = run(
			    command[order[k]], atoi(argv[2]), atoi(argv[3]));
	for (i = 0; i < n; i++) {
		qsort(rate[i], (size_t)rounds, sizeof(double), compare);
		printf("%s %.1f\n", name[i], rate[i][rounds / 2]);
	}
	return 0;
}
