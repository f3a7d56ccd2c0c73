/* SPDX-License-Identifier: ISC */
/*
 * inbox.c - delivery of a message that no rc file filters
 */
#include "lda/inbox.h"

#include <time.h>
#include <unistd.h>

#include "lda/place.h"
#include "maps/map.h"

static enum status
into_mailbox(struct inbox *in, struct map *map, struct err *err)
{
	in->dv = (struct delivery){ .ctx = in->env, .map = map,
	    .conf = in->conf, .user = in->to->user, .home = in->to->home,
	    .recipient = recipient_address(in->env, in->to),
	    .folder = in->conf->extension_mailboxes ?
	    place_folder(in->env, in->env->extension) : "",
	    .uids = in->mapped, .until = in->until };
	return deliver(&in->dv, in->rec, in->msg, err);
}

/* The destination that procmail would choose. */
static enum status
without_map(struct inbox *in, struct map *map, struct err *err)
{
	struct location *loc = &in->rec->side[OLD];
	struct place place;
	enum status st;

	st = place_choose(in->env, in->env, in->to->user, in->to->home,
	    loc->mail, &place, err);
	if (st != ST_OK)
		return st;
	switch (place.kind) {
	case PLACE_MAILDIR:
		if (place.path != loc->mail)
			*loc = (struct location){ place.path, NULL, NULL };
		return into_mailbox(in, map, err);
	case PLACE_MBOX:
		in->dv.path = place.path;
		return place_append(in->env, in->env, place.path, in->msg,
		    in->conf->deadline * 750L, err);
	case PLACE_NOWHERE:
		in->dv.path = place.path;
		break;
	}
	return ST_OK;
}

enum status
inbox_deliver(struct inbox *in, struct err *err)
{
	const struct recipient *to = in->to;
	struct map *map = NULL;
	enum status st;

	st = message_begin(in->env, in->env, STDIN_FILENO, &in->msg, err);
	if (st == ST_OK)
		st = map_open(in->env, in->conf, 0, &map, err);
	/* A cached answer is enough: the transaction asks again under the
	 * locks. */
	if (st == ST_OK)
		st = map_get_late(map, in->env, to->user, to->home, time(NULL),
		    &in->rec, err);
	if (st == ST_OK && !in->mapped)
		return without_map(in, map, err);
	if (st == ST_OK)
		st = recipient_check_uid(in->env, to, in->rec, err);
	if (st == ST_OK)
		st = place_check(in->env, in->env, to->home, in->rec, err);
	return st == ST_OK ? into_mailbox(in, map, err) : st;
}
