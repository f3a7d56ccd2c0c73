/* SPDX-License-Identifier: ISC */
/*
 * finding.h - one thing that `mailferry doctor` looked at, and how it is
 */
#ifndef ADMIN_DOCTOR_FINDING_H
#define ADMIN_DOCTOR_FINDING_H

#include <jansson.h>

#include "admin/context.h"

enum level {
	FINE,
	WARN,				/* it works, or it may be meant so */
	BAD,				/* mail is at risk, or does not flow */
};

struct doctor {
	struct admin	*ad;
	json_t		*findings;	/* with --json */
	enum level	 worst;
	const char	*bad;		/* the first bad one, for the end */
	const char	*postfix;	/* --postfix DIR; NULL: the system's */
	const char	*dovecot;	/* --dovecot FILE, or NULL */
};

/*
 * Report a finding: a line on the standard output, or an object of d->findings.
 *
 * what  was looked at.
 * mend  what to do, NULL: nothing.
 * fmt   how it is; may be empty where it is FINE.
 */
void		found(struct doctor *d, enum level level, const char *what,
		    const char *mend, const char *fmt, ...) PRINTF(5, 6);

#endif
