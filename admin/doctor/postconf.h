/* SPDX-License-Identifier: ISC */
/*
 * postconf.h - main.cf and master.cf, as postconf(1) prints them
 */
#ifndef ADMIN_DOCTOR_POSTCONF_H
#define ADMIN_DOCTOR_POSTCONF_H

#include "admin/doctor/finding.h"

struct postfix {
	struct doctor	*d;
	char		*main;		/* `name = value` of all parameters */
	char		*services;	/* `service/type/field = value` */
	char		*overrides;	/* `service/type/name = value`: -o */
	bool		 ours;		/* mentions mailferry, or was named */
};

/*
 * Read all of it by postconf(1); strings are talloc children of the
 * configuration.
 *
 * ST_NONE   there is no Postfix.
 * ST_AGAIN  postconf failed.
 */
enum status	postfix_read(struct postfix *p, struct doctor *d,
		    struct err *err) MUST_CHECK;

/* A parameter of main.cf, or its default; "" where there is none. */
const char     *postfix_value(const struct postfix *p, const char *name);

/* Of one service: `smtp/inet`, `chroot`; NULL: the service does not say. */
const char     *postfix_field(const struct postfix *p, const char *service,
		    const char *field);
const char     *postfix_override(const struct postfix *p, const char *service,
		    const char *name);

/* All services in turn; *at begins as NULL.  NULL: there are no more. */
char	       *postfix_next(const struct postfix *p, const char **at);

/* The program of a command line, without its directory, is this one. */
bool		postfix_runs(const char *command, const char *program);

/*
 * Report whether the Postfix user can reach a unix socket.
 *
 * what     was looked at.
 * path     relative: from the queue directory.
 * jail     the service is chrooted.
 * program  listens there.
 */
void		postfix_reach(const struct postfix *p, const char *what,
		    const char *path, bool jail, const char *program);

#endif
