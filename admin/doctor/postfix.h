/* SPDX-License-Identifier: ISC */
/*
 * postfix.h - what Postfix's parts of the doctor share
 */
#ifndef ADMIN_DOCTOR_POSTFIX_H
#define ADMIN_DOCTOR_POSTFIX_H

#include "admin/doctor/doctor.h"

struct postfix {
	struct doctor	*d;
	char		*main;		/* `name = value` of all parameters */
	char		*services;	/* `service/type/field = value` */
	char		*overrides;	/* `service/type/name = value`: its -o */
	bool		 ours;		/* it mentions mailferry, or was named */
};

/* Of main.cf, or its default; "" where there is none. */
const char     *postfix_value(const struct postfix *p, const char *name);

/* Of one service: `smtp/inet`, `chroot`; NULL: it says nothing of it. */
const char     *postfix_field(const struct postfix *p, const char *service,
		    const char *field);
const char     *postfix_override(const struct postfix *p, const char *service,
		    const char *name);

/* All services in turn; *at begins as NULL.  NULL: there are no more. */
char	       *postfix_next(const struct postfix *p, const char **at);

/*
 * Can the Postfix user reach a unix socket?  Told where it is, and how it is.
 * path  relative: from the queue directory.
 * jail  the service is chrooted.
 */
void		postfix_reach(const struct postfix *p, const char *what,
		    const char *path, bool jail, const char *program);

/* smtpd_milters, for each smtpd(8). */
void		doctor_milters(const struct postfix *p);

#endif
