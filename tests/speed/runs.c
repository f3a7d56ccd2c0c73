/* SPDX-License-Identifier: ISC */
/*
 * runs.c - run programs again and again, in turns, and say what they cost
 *
 *	runs ROUNDS USER INPUT NAME COMMAND... [-- NAME COMMAND...]...
 *
 * Each turn runs every command once, as USER, with INPUT on its standard
 * input; so that what disturbs the machine disturbs all alike; in another
 * order each time, as what one leaves to be written burdens the next.  A line
 * for each: NAME, median wall time and median CPU time in microseconds,
 * largest resident size in KiB. A command that fails ends it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shuffle.h"

#define MOST 8

struct candidate {
	char	 *name, **argv;
	long	 *wall, *cpu;		/* us, of each round */
	long	  rss;			/* KiB */
};

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static long
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

static void
child(char **argv, const struct passwd *pw, const char *input)
{
	char home[300], user[100], logname[100], rcpt[120];
	char *env[] = { home, user, logname, rcpt, "SENDER=s@x.test",
	    "PATH=/usr/bin:/bin", "DOMAIN=x.test", NULL };
	int in = open(input, O_RDONLY), out = open("/dev/null", O_WRONLY);

	snprintf(home, sizeof(home), "HOME=%s", pw->pw_dir);
	snprintf(user, sizeof(user), "USER=%s", pw->pw_name);
	snprintf(logname, sizeof(logname), "LOGNAME=%s", pw->pw_name);
	snprintf(rcpt, sizeof(rcpt), "RECIPIENT=%s@x.test", pw->pw_name);
	if (in == -1 || out == -1)
		die(input);
	dup2(in, 0);
	dup2(out, 1);
	if (setgroups(0, NULL) == -1 || setgid(pw->pw_gid) == -1 ||
	    setuid(pw->pw_uid) == -1)
		die("setuid");
	execve(argv[0], argv, env);
	die(argv[0]);
}

static void
run(struct candidate *c, int round, const struct passwd *pw, const char *input)
{
	struct rusage ru;
	int status;
	pid_t pid;
	long t = now();

	pid = fork();
	if (pid == 0)
		child(c->argv, pw, input);
	if (wait4(pid, &status, 0, &ru) != pid)
		die("wait4");
	c->wall[round] = now() - t;
	c->cpu[round] = (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000L +
	    ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
	if (ru.ru_maxrss > c->rss)
		c->rss = ru.ru_maxrss;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "%s: status %x\n", c->name, status);
		exit(2);
	}
}

static int
compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

static long
median(long *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), compare);
	return v[n / 2];
}

int
main(int argc, char **argv)
{
	struct candidate c[MOST];
	int order[MOST], n = 0, i, round, rounds;
	struct passwd *pw;

	if (argc < 6 || (pw = getpwnam(argv[2])) == NULL)
		die("runs ROUNDS USER INPUT NAME COMMAND...");
	rounds = atoi(argv[1]);
	for (i = 4; i < argc && n < MOST; n++) {
		c[n].name = argv[i++];
		c[n].argv = &argv[i];
		c[n].rss = 0;
		c[n].wall = calloc((size_t)rounds, sizeof(long));
		c[n].cpu = calloc((size_t)rounds, sizeof(long));
		while (i < argc && strcmp(argv[i], "--") != 0)
			i++;
		if (i < argc)
			argv[i++] = NULL;
	}
	for (i = 0; i < n; i++)		/* what is cold warms up */
		run(&c[i], 0, pw, argv[3]);
	for (round = 0; round < rounds; round++)
		for (shuffle(order, n), i = 0; i < n; i++)
			run(&c[order[i]], round, pw, argv[3]);
	for (i = 0; i < n; i++)
		printf("%s %ld %ld %ld\n", c[i].name, median(c[i].wall, rounds),
		    median(c[i].cpu, rounds), c[i].rss);
	return 0;
}
