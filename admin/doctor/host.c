/* SPDX-License-Identifier: ISC */
/*
 * host.c - this host: configuration, sockets, the map behind them
 */
#include "admin/doctor/host.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/doctor/connect.h"
#include "maps/base/clock.h"
#include "maps/route.h"

#define NAMED	5			/* users that are named */
#define SLOW	50			/* ms for an answer of mapd */

static void
look_at_file(struct doctor *d)
{
	const char *path = d->ad->conf->path;
	struct stat sb;

	if (stat(path, &sb) == -1)
		found(d, WARN, path, "cp the example of the documentation "
		    "there", "it is not there: the defaults count");
	else if ((sb.st_mode & S_IROTH) == 0)
		found(d, BAD, path, "chmod o+r it: it holds no secrets",
		    "not everybody can read it, and the LDA runs as the "
		    "recipient");
	else
		found(d, FINE, path, NULL, "%s", "");
}

static void
look_at_templates(struct doctor *d)
{
	const struct conf *conf = d->ad->conf;
	int s;

	for (s = OLD; s <= NEW; s++)
		if (conf->mail[s] == NULL)
			found(d, WARN, s == OLD ? "old_mail" : "new_mail",
			    "set it, or name locations in each record",
			    "not set: users without a location of their own "
			    "have none");
	if (conf->mail[OLD] != NULL && conf->mail[NEW] != NULL &&
	    strcmp(conf->mail[OLD], conf->mail[NEW]) == 0)
		found(d, BAD, "new_mail", "name the Maildirs of the new filer",
		    "it is the same as old_mail");
}

static void
look_at_people(struct doctor *d)
{
	const struct conf *conf = d->ad->conf;
	const char **u;

	if (conf->admin_group != NULL && getgrnam(conf->admin_group) == NULL)
		found(d, WARN, "admin_group", "groupadd -r it, or leave that "
		    "to root", "there is no group %s: root alone may change "
		    "the map", conf->admin_group);
	for (u = conf->trusted_users; *u != NULL; u++)
		if (strspn(*u, "0123456789") != strlen(*u) &&
		    getpwnam(*u) == NULL)
			found(d, BAD, "trusted_users", "correct the name: mapd "
			    "does not start with it", "there is no user %s",
			    *u);
}

/* Who delivers is anybody: the socket must let everybody in. */
static bool
look_at_socket(struct doctor *d)
{
	const char *path = d->ad->conf->map_socket;
	int rc = doctor_connect(path, NULL, geteuid() == 0 ? "nobody" : NULL);

	if (rc == 0)
		return true;
	if (rc == ENOENT || rc == ECONNREFUSED)
		found(d, BAD, path, "start mailferry-mapd, and let it start "
		    "with the host", "mailferry-mapd does not answer: all mail "
		    "is deferred");
	else
		found(d, BAD, path, "its directory must be 0755, the socket "
		    "0666", "a recipient cannot reach it: %s", strerror(rc));
	return false;
}

static void
look_at_file_of_map(struct doctor *d)
{
	const char *path = d->ad->conf->map + 4;
	char *copy = must(talloc_strdup(d->ad->conf, path));
	char *dir = dirname(copy);
	struct stat sb;

	if (strncmp(d->ad->conf->map, "tdb:", 4) != 0)
		return;
	if (stat(dir, &sb) == -1)
		found(d, BAD, dir, "install -d -m 700 -o mailferry it",
		    "the directory of the map: %s", strerror(errno));
	else if ((sb.st_mode & 077) != 0)
		found(d, BAD, dir, "chmod 700 it", "others may enter the "
		    "directory of the map: a process that can read it can "
		    "block its writers");
}

void
doctor_host(struct doctor *d)
{
	look_at_file(d);
	if (strcmp(d->ad->conf->map, "none") == 0) {
		found(d, FINE, "map", NULL, "none: no user migrates");
		return;
	}
	look_at_templates(d);
	look_at_people(d);
	look_at_file_of_map(d);
}

struct census {
	struct doctor	*d;
	unsigned long	 users, state[STATE_NEW + 1];
	unsigned long	 stranger;	/* whose uid is not the system's */
	char		*names;
};

static enum status
count(const struct record *rec, void *arg, struct err *err)
{
	struct census *c = arg;
	struct passwd *pw = rec->uid == -1 ? NULL : getpwnam(rec->user);

	(void)err;
	c->users++;
	c->state[route_effective(rec, time(NULL))]++;
	if (rec->uid != -1 && (pw == NULL || (long)pw->pw_uid != rec->uid) &&
	    c->stranger++ < NAMED)
		c->names = must(talloc_asprintf_append(c->names, " %s",
		    rec->user));
	return ST_OK;
}

static void
tell_census(struct doctor *d, const struct census *c)
{
	char *text = must(talloc_asprintf(d->ad->conf, "%lu record%s", c->users,
	    c->users == 1 ? "" : "s"));
	enum state s;

	for (s = STATE_OLD; s <= STATE_NEW; s++)
		if (c->state[s] != 0)
			text = must(talloc_asprintf_append(text, ", %lu in %s",
			    c->state[s], state_name(s)));
	found(d, FINE, "map", NULL, "%s", text);
	if (c->stranger != 0)
		found(d, BAD, "map", "mailferry import with the right uid "
		    "(null: a virtual user)", "%lu record%s another uid than "
		    "the system says, and such mail is deferred:%s%s",
		    c->stranger, c->stranger == 1 ? " has" : "s have", c->names,
		    c->stranger > NAMED ? " ..." : "");
}

void
doctor_map(struct doctor *d)
{
	struct census c = { .d = d, .names = must(talloc_strdup(d->ad->conf,
	    "")) };
	struct record *dflt = NULL;
	long long begin = clock_ms();
	struct err err;
	enum status st;

	if (strcmp(d->ad->conf->map, "none") == 0 || !look_at_socket(d))
		return;
	st = map_get_stored(d->ad->map, d->ad->conf, RECORD_DEFAULT, &dflt,
	    &err);
	if (st == ST_OK || st == ST_NONE) {
		if (clock_ms() - begin > SLOW)
			found(d, WARN, "map", "is this host, or its LDAP "
			    "server, overloaded?", "an answer took %lld ms",
			    clock_ms() - begin);
		st = map_each(d->ad->map, count, &c, &err);
	}
	if (st != ST_OK)
		found(d, BAD, "map", "mailferry-mapd's log says more; "
		    "RESTORING in mailferry-map(5), where it is damaged", "%s",
		    err.text);
	else
		tell_census(d, &c);
}
