/* SPDX-License-Identifier: ISC */
/*
 * peer.c - the client at the other end of a unix socket, and what it may ask
 */
#include "maps/mapd/peer.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59		/* Linux 4.13 */
#endif

static enum status
resolve_user(const char *name, uid_t *uid, struct err *err)
{
	struct passwd *pw;
	char *end;
	unsigned long n = strtoul(name, &end, 10);

	if (*end == '\0') {
		*uid = (uid_t)n;
		return ST_OK;
	}
	pw = getpwnam(name);
	if (pw == NULL)
		return err_set(err, ST_NEVER,
		    "trusted_users: %s: no such user", name);
	*uid = pw->pw_uid;
	return ST_OK;
}

/* A host without Dovecot, or without Postfix, has no such user. */
static uid_t *
resolve_known(struct peer_rules *r, const char **name, size_t *known)
{
	uid_t *uid;
	struct err err;
	size_t i, n = 0;

	while (name[n] != NULL)
		n++;
	uid = must(talloc_zero_array(r, uid_t, (unsigned)n + 1));
	for (i = 0; i < n; i++)
		if (resolve_user(name[i], &uid[*known], &err) == ST_OK)
			++*known;
	return uid;
}

enum status
peer_rules(TALLOC_CTX *ctx, const struct conf *conf, struct peer_rules **out,
    struct err *err)
{
	struct peer_rules *r = must(talloc_zero(ctx, struct peer_rules));
	struct group *gr = conf->admin_group == NULL ? NULL :
	    getgrnam(conf->admin_group);
	enum status st = ST_OK;
	size_t n = 0;

	r->admin_gid = gr == NULL ? (gid_t)-1 : gr->gr_gid;
	r->dict = resolve_known(r, conf->dict_users, &r->ndict);
	r->kept = resolve_known(r, conf->kept_users, &r->nkept);
	while (conf->trusted_users[n] != NULL)
		n++;
	r->trusted = must(talloc_zero_array(r, uid_t, (unsigned)n + 1));
	for (; r->ntrusted < n && st == ST_OK; r->ntrusted++)
		st = resolve_user(conf->trusted_users[r->ntrusted],
		    &r->trusted[r->ntrusted], err);
	if (st != ST_OK)
		talloc_free(r);
	else
		*out = r;
	return st;
}

static bool
in_group(int fd, gid_t primary, gid_t gid)
{
	gid_t *list = NULL;
	socklen_t len = 0;
	bool found = primary == gid;
	size_t i;

	if (found || gid == (gid_t)-1)
		return found;
	/* Without a buffer the kernel returns the size that is needed. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
	    errno != ERANGE || len == 0)
		return false;
	list = must(malloc(len));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) == 0)
		for (i = 0; i < len / sizeof(gid_t) && !found; i++)
			found = list[i] == gid;
	free(list);
	return found;
}

static bool
is_among(const uid_t *list, size_t n, uid_t uid)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i] == uid)
			return true;
	return false;
}

enum status
peer_of(int fd, const struct peer_rules *rules, struct wire_peer *peer,
    struct err *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return err_sys(err, "peer credentials");
	*peer = (struct wire_peer){ .uid = cred.uid };
	peer->admin = cred.uid == 0 || cred.uid == geteuid() ||
	    in_group(fd, cred.gid, rules->admin_gid);
	peer->trusted = is_among(rules->trusted, rules->ntrusted, cred.uid);
	peer->dict = is_among(rules->dict, rules->ndict, cred.uid);
	peer->kept = peer->admin || peer->trusted || peer->dict ||
	    is_among(rules->kept, rules->nkept, cred.uid);
	return ST_OK;
}
