/* SPDX-License-Identifier: ISC */
/*
 * doctor.h - what the parts of `mailferry doctor` share
 *
 * Each part looks at one thing as the programs would meet it, and tells what it
 * found with found().  Nothing is mended here: the mend is told.
 */
#ifndef ADMIN_DOCTOR_DOCTOR_H
#define ADMIN_DOCTOR_DOCTOR_H

#include <jansson.h>

#include "admin/admin.h"

enum level {
	FINE,
	WARN,				/* it works, or it may be meant so */
	BAD,				/* mail is at risk, or does not flow */
};

struct doctor {
	struct admin	*ad;
	json_t		*findings;
	enum level	 worst;
	const char	*bad;		/* the first bad one, for the last word */
	const char	*postfix;	/* --postfix DIR, or NULL: the system's */
	const char	*dovecot;	/* --dovecot FILE, or NULL */
};

/* A finding: what was looked at, how it is, what to do (NULL: nothing). */
void		found(struct doctor *d, enum level level, const char *what,
		    const char *mend, const char *fmt, ...) PRINTF(5, 6);

/* `--init`: make the markers. */
enum status	doctor_init(struct doctor *d, struct err *err) MUST_CHECK;

/* Configuration, filers, sockets, map: what is this host's alone. */
void		doctor_host(struct doctor *d);
void		doctor_filers(struct doctor *d);
void		doctor_map(struct doctor *d);
/* main.cf and master.cf by postconf(1); no Postfix: nothing is said. */
void		doctor_postfix(struct doctor *d);
/* Its settings by doveconf(1). */
void		doctor_dovecot(struct doctor *d);
/* Where it serves some users from, by doveadm(1): from where the map says? */
void		doctor_served(struct doctor *d, const char *base_dir);
/* Who delivers to users in overlap or settle without the LDA. */
void		doctor_strangers(struct doctor *d);

/*
 * Can somebody else reach a unix socket?  Tried by a child: in chroot `root` (NULL:
 * none), as `user` (NULL: as we are).  0, or the errno of the first that failed.
 */
int		doctor_connect(const char *path, const char *root,
		    const char *user);

#endif
