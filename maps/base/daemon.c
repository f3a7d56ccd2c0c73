/* SPDX-License-Identifier: ISC */
/*
 * daemon.c - options of the daemons, and how they report a failed start
 */
#include "maps/base/daemon.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "maps/base/log.h"

static int
usage(const struct daemon *d, FILE *to)
{
	(void)fprintf(to,
	    "usage: %s [--config FILE] [--log syslog|stderr|none] [--check]\n",
	    d->name);
	return to == stdout ? 0 : 2;
}

int
daemon_options(struct daemon *d, int argc, char **argv)
{
	static const struct option all[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "log", required_argument, NULL, 'l' },
		{ "check", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		switch (c) {
		case 'c':
			d->config = optarg;
			break;
		case 'l':
			d->log = optarg;
			break;
		case 'k':
			d->check = true;
			break;
		case 'h':
			return usage(d, stdout);
		case 'v':
			(void)printf("%s %s\n", d->name, VERSION);
			return 0;
		default:
			return usage(d, stderr);
		}
	return optind == argc ? -1 : usage(d, stderr);
}

/* The daemons may share a uid: the one must not read the secrets of the other
 * with ptrace(2). */
int
daemon_log(const struct daemon *d, const struct conf *conf)
{
	(void)prctl(PR_SET_DUMPABLE, 0);
	return log_open(d->name, d->log != NULL ? d->log : conf->log,
	    conf->debug ? LOG_DEBUG : LOG_INFO) == 0 ? -1 : usage(d, stderr);
}

int
daemon_refuse(const struct daemon *d, const struct err *err)
{
	(void)fprintf(stderr, "%s: %s\n", d->name, err->text);
	log_why(LOG_ERR, "refused", err->text);
	return 1;
}
