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
	FROM_KEEP,		/* no -f, or -Y alone */
	FROM_REFRESH,		/* -f -: the line there is gets a new date */
	FROM_SENDER,		/* -f SENDER: this sender and a new date */
};

struct assignment {
	const char	*name;
	const char	*value;	/* NULL: `VAR=` alone */
};

struct envelope {
	const char	*config;	/* --config FILE, or NULL */
	const char	*recipient_user;	/* -d USER, or NULL */
	const char     **more_users;	/* of -d, after the first;
					   NULL-terminated */
	const char	*invoker;	/* the user who called us, if -d made
					   us another; NULL: not known.
					   recipient_find() sets it */
	const char	*env_user;	/* LOGNAME, else USER, else NULL */
	const char	*home;		/* HOME, or NULL */
	const char	*extension;	/* first -a, else EXTENSION, else "" */
	const char     **args;		/* every -a, NULL-terminated */
	const char	*recipient;	/* RECIPIENT, else ORIGINAL_RECIPIENT,
					   else NULL */
	const char	*sender;	/* SENDER, or NULL; "": the null
					   sender */
	enum from_line	 from;
	const char	*from_sender;	/* of FROM_SENDER, else NULL */
	bool		 override_from;	/* -o */
	bool		 tempfail;	/* -t */
	bool		 berkeley;	/* -Y */
	bool		 preserve_env;	/* -p */
	bool		 mailfilter;	/* -m */
	bool		 help, version;	/* -h --help, -v --version */
	bool		 lmtp;		/* -z */
	const char	*unknown;	/* letters that are not options, which
					   are reported and ignored; or NULL */
	const char	*lacking;	/* letter of an option without its
					   argument, which is ignored; or
					   NULL */
	const char     **operands;	/* as they came, NULL-terminated;
					   empty with -d */
	struct assignment *set;		/* VAR=value, in order, `nset` */
	size_t		 nset;
	const char     **rcfiles;	/* NULL-terminated; with -m one, whose
					   arguments are only in operands */
	bool		 no_rcfile;	/* /dev/null was named as the rc file:
					   the user's own is not read */
};

/* The last VAR=value of that name; NULL: none; "": `VAR=`. */
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
