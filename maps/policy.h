/* SPDX-License-Identifier: ISC */
/*
 * policy.h - what the configuration has others told of a record
 *
 * Pure.  One answer for whoever asks at run time and for the tables that are
 * exported.
 */
#ifndef MAPS_POLICY_H
#define MAPS_POLICY_H

#include "maps/record.h"

/*
 * The Postfix transport of a user in `state`; an overlap, a cutover and a
 * settle that have none of their own have that of old.
 *
 * text  talloc child of ctx; never empty.
 * ST_NONE   the configuration has nothing to say of that state.
 * ST_NEVER  the template cannot be filled.
 */
enum status	policy_transport(TALLOC_CTX *ctx, const struct conf *conf,
		    const char *user, enum state state, char **text,
		    struct err *err) MUST_CHECK;

/*
 * What is said inside a window that lasts `seconds` more; talloc child of ctx.
 */
char	       *policy_window(TALLOC_CTX *ctx, const struct conf *conf,
		    time_t seconds);

/*
 * A location as Dovecot 2.3 writes it,
 * `maildir:PATH[:CONTROL=PATH][:INDEX=PATH]`; talloc child of ctx.  loc:
 * located, its mail not NULL.
 *
 * Source: Dovecot 2.3.19 lib-storage/mailbox-list.c,
 * mailbox_list_settings_parse().
 */
char	       *policy_dovecot(TALLOC_CTX *ctx, const struct location *loc);

#endif
