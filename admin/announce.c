/* SPDX-License-Identifier: ISC */
/*
 * announce.c - what the command waits for, once it has waited for a second
 *
 * The command itself waits in calls that do not return: so a child prints.
 */
#include "admin/announce.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE	1000		/* milliseconds */

static pid_t printer = -1;

static void
end(void)
{
	if (printer == -1)
		return;
	(void)kill(printer, SIGKILL);
	while (waitpid(printer, NULL, 0) == -1 && errno == EINTR)
		continue;
	printer = -1;
}

void
announce(const char *text, void *arg)
{
	(void)arg;
	end();
	if (text == NULL)
		return;
	printer = fork();
	if (printer != 0)		/* or -1: then nothing is printed */
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)poll(NULL, 0, PATIENCE);
	(void)fprintf(stderr, "mailferry: waiting for %s\n", text);
	(void)fflush(stderr);
	_exit(0);
}
