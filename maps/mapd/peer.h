/* SPDX-License-Identifier: ISC */
/*
 * peer.h - the client at the other end of a unix socket, and what it may ask
 */
#ifndef MAPS_MAPD_PEER_H
#define MAPS_MAPD_PEER_H

#include "maps/base/conf.h"
#include "maps/mapd/protocol.h"

struct peer_rules {			/* resolved once: NSS may hang later */
	gid_t		 admin_gid;	/* (gid_t)-1: there is no such group */
	uid_t		*trusted;
	size_t		 ntrusted;
	uid_t		*dict;		/* of dict_users */
	size_t		 ndict;
	uid_t		*kept;		/* of kept_users */
	size_t		 nkept;
};

/*
 * Resolve admin_group, dict_users, kept_users and trusted_users.  An unknown
 * group is no error (it has no members), nor is an unknown user of dict_users
 * or kept_users.
 *
 * rules     talloc child of ctx.
 * ST_NEVER  a trusted user does not exist; err names it.
 */
enum status	peer_rules(TALLOC_CTX *ctx, const struct conf *conf,
		    struct peer_rules **rules, struct err *err) MUST_CHECK;

/*
 * Ask the kernel (SO_PEERCRED, SO_PEERGROUPS) for the credentials of the
 * client at `fd`.  Root, our own uid and the members of admin_group are
 * admins.  They, trusted_users, dict_users and kept_users have kept places.
 */
enum status	peer_of(int fd, const struct peer_rules *rules,
		    struct wire_peer *peer, struct err *err) MUST_CHECK;

#endif
