/* SPDX-License-Identifier: ISC */
/*
 * policy.h - what Postfix and Dovecot are answered about a record
 *
 * Pure.  The look-ups at run time and the exported tables ask here, so that
 * they agree.
 */
#ifndef MAPS_POLICY_H
#define MAPS_POLICY_H

#include "maps/record.h"

/*
 * The Postfix transport of a user in `state`.  Where the configuration has
 * none for overlap, cutover or settle, that of old.
 *
 * text  talloc child of ctx; never empty.
 * ST_NONE   the configuration has none for that state.
 * ST_NEVER  the template cannot be filled.
 */
enum status	policy_transport(TALLOC_CTX *ctx, const struct conf *conf,
		    const char *user, enum state state, char **text,
		    struct err *err) MUST_CHECK;

/* The refusal in a window that lasts `seconds` more; talloc child of ctx. */
char	       *policy_window(TALLOC_CTX *ctx, const struct conf *conf,
		    time_t seconds);

/*
 * A location as Dovecot 2.3 writes it,
 * `maildir:PATH[:CONTROL=PATH][:INDEX=PATH]`; talloc child of ctx.
 *
 * loc  located, its mail not NULL.
 *
 * Source: Dovecot 2.3.19 lib-storage/mailbox-list.c,
 * mailbox_list_settings_parse().
 */
char	       *policy_dovecot(TALLOC_CTX *ctx, const struct location *loc);

#endif
