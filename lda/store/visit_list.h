/* SPDX-License-Identifier: ISC */
/*
 * visit_list.h - which mailboxes a visit has still to go to
 *
 * Pure but for memory; for visit.c and its tests.
 */
#ifndef LDA_STORE_VISIT_LIST_H
#define LDA_STORE_VISIT_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

#include "maps/base/conf.h"

struct visit_id {			/* a directory; 0, 0: none */
	uint64_t	 dev, ino;
};

struct visit_place {			/* a mailbox by its name */
	const char	*name;		/* as maildir_open() takes it */
	struct visit_id	 id[2];		/* where the last listing saw it */
	struct visit_id	 was[2];	/* where it was visited */
	bool		 listed;	/* by the last listing */
};

struct visit_list {
	struct visit_place *at;		/* sorted by name, but for what is
					   new */
	size_t		 n, sorted, room;
};

/* A new listing begins: none of the mailboxes is on it yet. */
void		visit_list_begin(struct visit_list *list);

/*
 * Take a line of the listing, `SIDE DEV INO NAME` in the form of visit_line().
 * False: it is none.
 */
bool		visit_list_take(TALLOC_CTX *ctx, struct visit_list *list,
		    const char *line);

/* The listing is whole: `*n` indexes into list->at that must be visited; talloc
 * child of ctx. */
size_t	       *visit_list_todo(TALLOC_CTX *ctx, struct visit_list *list,
		    size_t *n);

/*
 * Take a line of a child, `INDEX DEV INO DEV INO`: that mailbox was visited
 * where old and new are these.  False: it is none.
 */
bool		visit_list_visited(struct visit_list *list, const char *line);

/* A line of the listing; talloc child of ctx. */
char	       *visit_line(TALLOC_CTX *ctx, enum side side, struct visit_id id,
		    const char *name);

/* A folder's name as part of a line: without LF, whatever it is; talloc child
 * of ctx.  And back, in place. */
char	       *visit_pack(TALLOC_CTX *ctx, const char *name);
void		visit_unpack(char *name);

#endif
