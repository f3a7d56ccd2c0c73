/* SPDX-License-Identifier: ISC */
/*
 * envelope.h - for whom, from whom, how: the command line and the environment
 *
 * procmail's command line, Postfix's environment.  Nothing is looked up here.
 *
 * Source: procmail(1); Postfix local(8), pipe(8).
 */
#ifndef LDA_ENVELOPE_H
#define LDA_ENVELOPE_H

#include <stdbool.h>
#include <talloc.h>

#include "maps/base/err.h"

enum from_line {
	FROM_KEEP,		/* -f absent, or -Y alone */
	FROM_REFRESH,		/* -f -: a new date in the From_ line that is there */
	FROM_SENDER,		/* -f SENDER: this sender and the present date */
};

struct assignment {
	const char	*name, *value;	/* VAR=value; value NULL: `VAR=` alone */
};

struct envelope {
	const char	*config;	/* --config FILE, or NULL */
	const char	*recipient_user;	/* -d USER, or NULL */
	const char     **more_users;	/* -d USER USER..., NULL-terminated */
	const char	*invoker;	/* who called us, where -d made us another;
					   NULL: not known; main() sets it */
	const char	*env_user;	/* LOGNAME, else USER; NULL: neither */
	const char	*home;		/* HOME, or NULL */
	const char	*extension;	/* first -a, else EXTENSION; "" : none */
	const char     **args;		/* every -a, NULL-terminated */
	const char	*recipient;	/* RECIPIENT, else ORIGINAL_RECIPIENT, or NULL */
	const char	*sender;	/* SENDER, or NULL; "" is the null sender */
	enum from_line	 from;
	const char	*from_sender;
	bool		 override_from;	/* -o */
	bool		 tempfail;	/* -t */
	bool		 berkeley;	/* -Y */
	bool		 preserve_env;	/* -p */
	bool		 mailfilter;	/* -m */
	bool		 help, version;	/* -h --help, -v --version */
	bool		 lmtp;		/* -z */
	const char	*unknown;	/* letters that are no option; NULL: none */
	const char	*lacking;	/* letter of an option, left out as it lacks
					   its argument; NULL: none */
	const char     **operands;	/* all that is no option, as it came,
					   NULL-terminated; not with -d */
	struct assignment *set;		/* VAR=value, in order, `nset` */
	size_t		 nset;
	const char     **rcfiles;	/* NULL-terminated; with -m one, and its
					   arguments are in operands alone */
	bool		 no_rcfile;	/* /dev/null in their place: not even the
					   user's own */
};

/* The last VAR=value of that name: NULL where there is none, "" for `VAR=`. */
const char     *envelope_set(const struct envelope *env, const char *name);

/*
 * Read the command line and the environment.
 *
 * argv, envp  borrowed: the envelope's strings point into them.
 * env         talloc child of ctx.
 * ST_NEVER    a usage error; err says which option.
 */
enum status	envelope_read(TALLOC_CTX *ctx, int argc, char **argv,
		    char **envp, struct envelope **env, struct err *err)
		    MUST_CHECK;

#endif
