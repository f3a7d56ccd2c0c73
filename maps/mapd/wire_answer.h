/* SPDX-License-Identifier: ISC */
/*
 * wire_answer.h - what mailferry-mapd answers to LDA, milter and command
 *
 * The requests and answers are those of maps/wire.h.
 */
#ifndef MAPS_MAPD_WIRE_ANSWER_H
#define MAPS_MAPD_WIRE_ANSWER_H

#include "maps/mapd/protocol.h"

extern const struct protocol protocol_map;

/*
 * May this client have the locations in a record?  Every client may have those
 * of a user without a record.
 */
bool		wire_may_get(const struct wire_peer *peer,
		    const struct record *rec);

/*
 * The answer that reports a change to a watcher.
 *
 * alen  its length in bytes, set; the answer is a talloc child of ctx.
 */
char	       *wire_change(TALLOC_CTX *ctx, const struct change *ch,
		    size_t *alen);

#endif
