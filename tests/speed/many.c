/*
 * many.c - how many deliveries a second, by several processes at once
 *
 *	many COUNT PARALLEL USER INPUT COMMAND...
 *
 * `%` in an argument is the number of the delivery modulo 100: for 100 mailboxes.
 * Prints deliveries per second.
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
	char *out;

	if (p == NULL)
		return strdup(arg);
	out = malloc(strlen(arg) + 8);
	sprintf(out, "%.*s%d%s", (int)(p - arg), arg, i % 100, p + 1);
	return out;
}

int
main(int argc, char **argv)
{
	int count, parallel, running = 0, i, k, status, failed = 0;
	char home[300], user[100], logname[100];
	char *env[] = { home, user, logname, "PATH=/usr/bin:/bin", NULL };
	struct passwd *pw;
	double t;

	if (argc < 6 || (pw = getpwnam(argv[3])) == NULL)
		return 2;
	count = atoi(argv[1]);
	parallel = atoi(argv[2]);
	snprintf(home, sizeof(home), "HOME=%s", pw->pw_dir);
	snprintf(user, sizeof(user), "USER=%s", pw->pw_name);
	snprintf(logname, sizeof(logname), "LOGNAME=%s", pw->pw_name);
	t = now();
	for (i = 0; i < count || running > 0;) {
		if (i < count && running < parallel) {
			if (fork() == 0) {
				for (k = 5; argv[k] != NULL; k++)
					argv[k] = fill(argv[k], i);
				dup2(open(argv[4], O_RDONLY), 0);
				dup2(open("/dev/null", O_WRONLY), 1);
				if (setgroups(0, NULL) == -1 ||
				    setgid(pw->pw_gid) == -1 ||
				    setuid(pw->pw_uid) == -1)
					_exit(2);
				execve(argv[5], argv + 5, env);
				_exit(2);
			}
			running++;
			i++;
			continue;
		}
		wait(&status);
		failed += status != 0;
		running--;
	}
	if (failed > 0)
		fprintf(stderr, "%s: %d failed\n", argv[5], failed);
	printf("%.1f\n", (double)count / (now() - t));
	return failed > 0;
}
