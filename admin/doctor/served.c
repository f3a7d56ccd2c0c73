/* SPDX-License-Identifier: ISC */
/*
 * served.c - does Dovecot serve users from where the map says?
 *
 * Asked of doveadm(1), as a login would be, about some users with a record, the
 * moved ones among them; if there is no record, about some of the system.
 */
#include "admin/doctor/served.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "admin/command.h"
#include "admin/doctor/connect.h"
#include "maps/policy.h"
#include "maps/route.h"

#define EACH_MAX	4		/* users asked about, of each state */
#define FIRST_UID	1000		/* of people, if nobody has a record */
#define NOBODY_UID	65534
#define MARGIN		3		/* seconds in which a window may end */

struct sample {
	struct doctor	*d;
	unsigned	 n, of[STATE_NEW + 1];
	unsigned	 right;		/* served from where the map says */
	char		*user[(STATE_NEW + 1) * EACH_MAX];
};

static void
take(struct sample *s, const char *user, enum state state)
{
	if (s->of[state]++ < EACH_MAX)
		s->user[s->n++] = must(talloc_strdup(s->d->ad->conf, user));
}

static enum status
take_record(const struct record *rec, void *arg, struct err *err)
{
	(void)err;
	take(arg, rec->user, rec->state);
	return ST_OK;
}

static void
take_people(struct sample *s)
{
	const struct passwd *pw;
	struct stat sb;

	setpwent();
	while ((pw = getpwent()) != NULL && s->n < EACH_MAX)
		if (pw->pw_uid >= FIRST_UID && pw->pw_uid < NOBODY_UID &&
		    stat(pw->pw_dir, &sb) == 0)
			take(s, pw->pw_name, STATE_OLD);
	endpwent();
}

static bool
ask(struct doctor *d, const char *user, const char *field, char **text)
{
	const char *argv[8];
	struct err err;
	int n = 0;

	argv[n++] = "doveadm";
	if (d->dovecot != NULL) {
		argv[n++] = "-c";
		argv[n++] = d->dovecot;
	}
	argv[n++] = "user";
	argv[n++] = "-f";
	argv[n++] = field;
	argv[n++] = user;
	argv[n] = NULL;
	if (command_read(d->ad->conf, argv, text, &err) != ST_OK)
		return false;
	(*text)[strcspn(*text, "\n")] = '\0';
	return **text != '\0';
}

/* The path of `maildir:PATH:...`, its colons single and its home filled in. */
static char *
path_of(struct doctor *d, const char *user, const char *location)
{
	const char *p = strncmp(location, "maildir:", 8) == 0 ? location + 8 :
	    location;
	char *out = must(talloc_strdup(d->ad->conf, "")), *home;

	if (p[0] == '~' && (p[1] == '/' || p[1] == ':' || p[1] == '\0') &&
	    ask(d, user, "home", &home)) {
		out = must(talloc_strdup(d->ad->conf, home));
		p++;
	}
	for (; *p != '\0' && (*p != ':' || p[1] == ':'); p += 1 + (*p == ':'))
		out = must(talloc_strndup_append_buffer(out, p, 1));
	return out;
}

/* One directory by two names is one. */
static bool
same_place(const char *a, const char *b)
{
	struct stat is, should;

	return strcmp(a, b) == 0 || (stat(a, &is) == 0 && stat(b,
	    &should) == 0 && is.st_dev == should.st_dev &&
	    is.st_ino == should.st_ino);
}

static void
tell_window(struct doctor *d, const struct record *rec, const char *is)
{
	if (rec->end - time(NULL) > MARGIN)
		found(d, BAD, "dovecot logins", "mailferry-dovecot(5) says how "
		    "it asks the map", "%s is inside a window, and Dovecot "
		    "serves %s", rec->user, is);
}

/* False: nothing was wrong, or Dovecot does not know the user. */
static bool
look_at_user(struct sample *s, const char *user)
{
	struct doctor *d = s->d;
	const struct location *loc;
	struct record *rec = NULL;
	char *mail, *is, *should;
	struct plan plan;
	struct err err;

	if (admin_get(d->ad, user, &rec, &err) != ST_OK ||
	    !ask(d, user, "mail", &mail))
		return false;
	if (route(rec, time(NULL), &plan) != ST_OK) {
		tell_window(d, rec, mail);
		return true;
	}
	loc = &rec->side[plan.leader];
	if (loc->mail == NULL)
		return false;
	should = must(talloc_strdup(rec, loc->mail));
	is = path_of(d, user, mail);
	if (same_place(is, should)) {
		s->right++;
		return false;
	}
	found(d, BAD, "dovecot logins", plan.leader == OLD && rec->is_default ?
	    "set old_mail to where mail_location is" : "mailferry-dovecot(5) "
	    "says how it asks the map", "the mail of %s, in %s, goes to %s, "
	    "and Dovecot serves %s", user, state_name(rec->state), should, is);
	return true;
}

void
doctor_served(struct doctor *d, const char *base_dir)
{
	struct sample s = { .d = d };
	struct err err;
	unsigned i;

	/* Not running: nothing can be asked, and it may run elsewhere. */
	if (base_dir == NULL || doctor_connect(must(talloc_asprintf(d->ad->conf,
	    "%s/auth-userdb", base_dir)), NULL, NULL) != 0 ||
	    map_each(d->ad->map, take_record, &s, &err) != ST_OK)
		return;
	if (s.n == 0)
		take_people(&s);
	for (i = 0; i < s.n && !look_at_user(&s, s.user[i]); i++)
		continue;
	if (s.right != 0 && i == s.n)
		found(d, FINE, "dovecot logins", NULL, "%u served from where "
		    "the map says", s.right);
}
