/* SPDX-License-Identifier: ISC */
/*
 * err.h - the outcomes of a call, and the text of an error
 *
 * Four outcomes for the whole project.  "Not there" and "could not look" are
 * never the same value: a map that is down must not bounce mail.
 */
#ifndef MAPS_BASE_ERR_H
#define MAPS_BASE_ERR_H

#include <stddef.h>

#define MUST_CHECK      __attribute__((warn_unused_result))
#define PRINTF(f, a)    __attribute__((format(printf, f, a)))
#define NORETURN        __attribute__((noreturn))

enum status {
	ST_OK,
	ST_NONE,	/* sought, and certainly not there; no error */
	ST_AGAIN,	/* may work later: EX_TEMPFAIL, 4.x.x, TEMP */
	ST_NEVER,	/* until a person mends it; the LDA still defers:
			   nothing bounces unless policy says so */
};

/*
 * An error on its way to the edge of the program that reports it.  It lives on
 * the stack of the reporting function; a callee only writes it together with
 * ST_AGAIN or ST_NEVER.
 */
struct err {
	int	 code;		/* errno, where one was the cause; else 0 */
	char	 text[500];	/* one line without LF, for a person */
};

/*
 * Name an error: the text is "FMT", and with err_sys() ": strerror(errno)".
 * Both return the outcome, so that `return err_set(...)` is the whole path.
 *
 * err_set   returns `st`, which is ST_AGAIN or ST_NEVER.
 * err_sys   keeps errno in err->code and returns ST_NEVER for what no retry
 *           mends (EACCES, EPERM, ELOOP, ENOTDIR, ENAMETOOLONG, EXDEV, EINVAL),
 *           else, also for any errno it does not know, ST_AGAIN.
 * err_wrap  puts "FMT: " before the text that is there; returns `st`.
 */
enum status	err_set(struct err *err, enum status st, const char *fmt, ...)
		    PRINTF(3, 4);
enum status	err_sys(struct err *err, const char *fmt, ...) PRINTF(2, 3);
enum status	err_wrap(struct err *err, enum status st, const char *fmt, ...)
		    PRINTF(3, 4);

/*
 * RFC 3463 status of an error, always a temporary one ("4.2.2" for EDQUOT,
 * "4.3.1" for ENOSPC, ... "4.3.0" for what has no better).  Static string.
 */
const char     *err_dsn(const struct err *err);

/* "ok", "none", "again", "never": static strings, for logs and the wire. */
const char     *status_name(enum status st);

/*
 * Out of memory is not an outcome.  must() returns its argument, or ends the
 * process with the status set by must_exit() (at first 75, EX_TEMPFAIL).
 * Before that it calls the function given to must_clean(), which may need no
 * memory.
 */
void	       *must_(void *p);
#define must(p) ((__typeof__(p))must_((void *)(p)))
void		must_exit(int status);
void		must_clean(void (*fn)(void));

#endif
