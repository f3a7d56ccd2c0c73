/* SPDX-License-Identifier: ISC */
/*
 * record.h - what the map knows of one user, and its text form
 *
 * The text form (mailferry-map(5), RECORD) is `key value` lines under a first
 * line `mailferry 1`.  Keys that this version does not know are kept, so that
 * an older program does not destroy what a newer one wrote.
 */
#ifndef MAPS_RECORD_H
#define MAPS_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <time.h>

#include "maps/base/conf.h"
#include "maps/base/err.h"

/* Where the map's own default is kept; no user can have this name. */
#define RECORD_DEFAULT	"*"

#define RECORD_HEAD	"mailferry 1\n"	/* of the text form, version 1 */
#define RECORD_USER_MAX	  255		/* bytes */
#define RECORD_TEXT_MAX	  (64 * 1024)	/* bytes; bounds every request */
#define RECORD_TIME_MAX	  253402300799LL /* 9999-12-31T23:59:59Z: the last
					    second that RFC 3339 can name */

enum state {
	STATE_NONE,		/* no state */
	STATE_OLD,
	STATE_OVERLAP,
	STATE_CUTOVER,
	STATE_SETTLE,
	STATE_NEW,
};

/* NULL where the record does not say: the configuration's template then. */
struct location {
	const char	*mail;		/* the Maildir: absolute */
	const char	*control;	/* Dovecot's CONTROL=, else as mail */
	const char	*index;		/* Dovecot's INDEX=, else as control */
};

/* In the mailbox (guid, validity) no UID below `next` may be given. */
struct floor {
	char		 guid[33];	/* 32 hex digits */
	uint32_t	 validity;
	uint32_t	 next;
};

struct record {
	const char	*user;
	bool		 is_default;	/* made from the map's default */
	long		 uid;		/* of the user's account; -1: none */
	enum state	 state;
	enum state	 entered;	/* of a cutover: OVERLAP or SETTLE */
	time_t		 begin, end;	/* window, seconds UTC; 0, 0: none */
	uint64_t	 version;	/* 1 when added; + 1 with each change,
					   also over a delete and a new add */
	uint64_t	 led;		/* version in which the leader last
					   changed; 0: it never did, new was
					   never served */
	struct location	 side[2];
	const char     **address;	/* NULL-terminated, never NULL itself */
	struct floor	*floor;
	size_t		 nfloor;
	/* The change that made this version. */
	const char	*by;		/* its author: login name or "mapd" */
	time_t		 at;		/* seconds UTC */
	const char	*why;		/* the reason; "": none was given */
	const char	*unknown;	/* lines of unknown keys, with LFs */
};

/* "old", "overlap", ...; "none" for STATE_NONE.  Static. */
const char     *state_name(enum state state);
/* STATE_NONE for any other word. */
enum state	state_parse(const char *name);
/* "old", "new". */
const char     *side_name(enum side side);

/*
 * The side that IMAP serves in this state; in a cutover it is still the former
 * leader.
 */
enum side	record_leader(const struct record *rec);

/*
 * A user's name as the map takes it: 1 to RECORD_USER_MAX bytes of UTF-8, no
 * control character, no blank, no `/`, not beginning with `*` or `-`, not `.`
 * or `..`.  It is a key and becomes part of paths.
 */
bool		record_user_valid(const char *user);

/* Printable, well-formed UTF-8; `blanks`: with blanks in it. */
bool		record_text_valid(const char *text, bool blanks);

/* True if it may be a line of `unknown`: `key value`, the key not known. */
bool		record_unknown_valid(const char *line);

/*
 * One line of any text, as by and why have it: LF and backslash escaped, any
 * other control character a blank, what is not UTF-8 a `?`.  Talloc child of
 * ctx.
 */
char	       *record_escape(TALLOC_CTX *ctx, const char *text);

/* Addresses are compared, and kept, in lower case (ASCII); in place. */
void		record_fold_address(char *address);

/*
 * Parse a text form.
 *
 * user  the name that was asked for: the record's must be the same bytes.
 * text  `len` bytes; need not be terminated; not kept.
 * rec   talloc child of ctx, with all its strings.
 *
 * ST_NEVER  it is not a whole, consistent record: `err` names user and line.
 *           route() need not check what passes here: states are known, a
 *           window has begin < end, a cutover has an origin and a window, times
 *           are not negative, paths are absolute without `..`, names valid.
 */
enum status	record_parse(TALLOC_CTX *ctx, const char *user,
		    const char *text, size_t len, struct record **rec,
		    struct err *err) MUST_CHECK;

/* The text form; talloc child of ctx.  record_parse() reads back the same. */
char	       *record_format(TALLOC_CTX *ctx, const struct record *rec);

/* True if the record has this address; rec may be NULL. */
bool		record_has_address(const struct record *rec, const char *addr);

/* A deep copy, to be changed; talloc child of ctx. */
struct record  *record_copy(TALLOC_CTX *ctx, const struct record *rec);

/*
 * Fill the locations that the record leaves open from the configuration's
 * templates.  %u the user, %n and %d its parts before and after the @ (%n is %u
 * and %d empty without one), %h `home`, %1u the first byte of %u (any digits,
 * any letter), %% a percent sign.
 *
 * home  NULL where it is not known: a template that needs it is ST_NEVER.
 * ST_NEVER  also: a template comes to a path that is not absolute or has `..`.
 */
enum status	record_locate(struct record *rec, const struct conf *conf,
		    const char *home, struct err *err) MUST_CHECK;

/* The floor of a mailbox, 0 where the record has none. */
uint32_t	record_floor(const struct record *rec, const char *guid,
		    uint32_t validity);

#endif
