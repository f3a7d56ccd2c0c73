/* SPDX-License-Identifier: ISC */
/*
 * share.c - the share that each uid has of mailferry-mapd
 */
#include "maps/mapd/share.h"

#include <stdlib.h>

#include "maps/base/err.h"

void
shares_init(struct shares *shares)
{
	TAILQ_INIT(&shares->all);
	TAILQ_INIT(&shares->turns);
}

struct share *
share_of(const struct shares *shares, uid_t uid)
{
	struct share *s;

	TAILQ_FOREACH(s, &shares->all, entry)
		if (s->uid == uid)
			return s;
	return NULL;
}

struct share *
share_hold(struct shares *shares, uid_t uid)
{
	struct share *s = share_of(shares, uid);

	if (s == NULL) {
		s = must(calloc(1, sizeof(*s)));
		s->uid = uid;
		TAILQ_INIT(&s->ready);
		TAILQ_INIT(&s->parked);
		TAILQ_INSERT_TAIL(&shares->all, s, entry);
	}
	s->n++;
	return s;
}

void
share_release(struct shares *shares, struct share *s)
{
	if (--s->n > 0)
		return;
	if (s->waits)
		TAILQ_REMOVE(&shares->turns, s, turn);
	TAILQ_REMOVE(&shares->all, s, entry);
	free(s);
}

struct share *
share_greediest(const struct shares *shares)
{
	struct share *s, *most = NULL;

	TAILQ_FOREACH(s, &shares->all, entry)
		if (most == NULL || s->n > most->n)
			most = s;
	return most;
}
