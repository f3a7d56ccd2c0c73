/* SPDX-License-Identifier: ISC */
/*
 * news.c - changes that several processes report, each passed on once
 */
#include "maps/mapd/news.h"

#include <string.h>

#include "maps/base/clock.h"
#include "maps/change.h"

#define KNOWN		4096		/* numbers that are remembered */
#define WAIT_MS		1000		/* for a worker that may have made it */

struct foreign {
	struct foreign		*next;
	uint64_t		 seq;
	long long		 came;	/* clock_ms() */
	char			*text;	/* talloc child of this */
};

struct news {
	map_change_fn		*changed;
	void			*arg;
	uint64_t		 known[KNOWN];	/* numbers, by number % KNOWN */
	struct foreign		*foreign;	/* talloc children */
};

struct news *
news_new(TALLOC_CTX *ctx, map_change_fn *changed, void *arg)
{
	struct news *news = must(talloc_zero(ctx, struct news));

	news->changed = changed;
	news->arg = arg;
	return news;
}

bool
news_made(struct news *news, const char *text, size_t len, bool quiet)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct change ch;
	struct err err;
	bool valid;

	valid = change_parse(ctx, text, len, &ch, NULL, &err) == ST_OK;
	if (valid && news->known[ch.seq % KNOWN] != ch.seq) {
		news->known[ch.seq % KNOWN] = ch.seq;
		ch.imported = quiet;
		(void)!news->changed(&ch, news->arg, &err);
	}
	talloc_free(ctx);
	return valid;
}

void
news_followed(struct news *news, uint64_t seq, const char *text)
{
	struct foreign *f;

	if (news->known[seq % KNOWN] == seq)
		return;
	f = must(talloc_zero(news, struct foreign));
	f->seq = seq;
	f->came = clock_ms();
	f->text = must(talloc_strdup(f, text));
	f->next = news->foreign;
	news->foreign = f;
}

void
news_second(struct news *news)
{
	struct foreign **p = &news->foreign, *f;

	while ((f = *p) != NULL) {
		if (clock_ms() - f->came < WAIT_MS) {
			p = &f->next;
			continue;
		}
		*p = f->next;
		/* An administrator can write any text into the directory. */
		(void)news_made(news, f->text, strlen(f->text), true);
		talloc_free(f);
	}
}
