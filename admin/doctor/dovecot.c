/* SPDX-License-Identifier: ISC */
/*
 * dovecot.c - Dovecot's settings, as doveconf(1) prints them
 */
#include "admin/doctor/dovecot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/connect.h"
#include "admin/doctor/served.h"

#define NFS_MAGIC	0x6969

static char *
ask(struct doctor *d, const char *filter, const char *name)
{
	const char *argv[8];
	int n = 0;
	char *text;
	struct err err;

	argv[n++] = "doveconf";
	if (d->dovecot != NULL) {
		argv[n++] = "-c";
		argv[n++] = d->dovecot;
	}
	if (filter != NULL) {
		argv[n++] = "-f";
		argv[n++] = filter;
	}
	argv[n++] = "-h";
	argv[n++] = name;
	argv[n] = NULL;
	if (command_read(d->ad->conf, argv, &text, &err) != ST_OK)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static bool
is(const char *value, const char *word)
{
	return value != NULL && strcmp(value, word) == 0;
}

static bool
has(const char *value, const char *word)
{
	return value != NULL && strstr(value, word) != NULL;
}

/* 2.4 has no dict userdb, and other names for much of this. */
static bool
look_at_version(struct doctor *d)
{
	static const char *const argv[] = { "dovecot", "--version", NULL };
	struct err err;
	char *text;

	if (command_read(d->ad->conf, argv, &text, &err) != ST_OK)
		return false;
	text[strcspn(text, " \n")] = '\0';
	if (strncmp(text, "2.3.", 4) == 0)
		return true;
	found(d, WARN, "dovecot", "2.4: use the Lua userdb among the examples",
	    "version %s: its settings are not looked at by this version", text);
	return false;
}

static void
look_at_location(struct doctor *d)
{
	const struct conf *conf = d->ad->conf;
	char *loc = ask(d, NULL, "mail_location");

	if (loc == NULL || *loc == '\0')
		return;
	if (strncmp(loc, "maildir:", 8) != 0)
		found(d, WARN, "dovecot mail_location", "if the users' mail is "
		    "in Maildirs, a userdb must say so for each: mailferry "
		    "moves no other format", "it is %s", loc);
	if (has(loc, ":CONTROL=") && conf->control[OLD] == NULL)
		found(d, BAD, "dovecot mail_location", "set old_control (and "
		    "new_control) to it", "it has CONTROL=, and old_control is "
		    "not set: the LDA would not find dovecot-uidlist");
	if (has(loc, ":INDEX=") && conf->index[OLD] == NULL)
		found(d, WARN, "dovecot mail_location", "set old_index (and "
		    "new_index) to it", "it has INDEX=, and old_index is not "
		    "set");
}

static bool
on_nfs(const char *path)
{
	struct statfs fs;

	return path != NULL && statfs(path, &fs) == 0 && fs.f_type == NFS_MAGIC;
}

static void
look_at_nfs(struct doctor *d)
{
	const struct conf *conf = d->ad->conf;

	if (!on_nfs(conf->filer[OLD]) && !on_nfs(conf->filer[NEW]))
		return;
	if (!is(ask(d, NULL, "mmap_disable"), "yes"))
		found(d, BAD, "dovecot mmap_disable", "mmap_disable = yes",
		    "a filer is on NFS, and it is not yes");
	if (!is(ask(d, NULL, "mail_fsync"), "always"))
		found(d, WARN, "dovecot mail_fsync", "mail_fsync = always",
		    "a filer is on NFS, and it is not always");
	if (!is(ask(d, NULL, "mail_nfs_storage"), "yes"))
		found(d, WARN, "dovecot mail_nfs_storage", "mail_nfs_storage = "
		    "yes where more than one host serves or delivers to a user",
		    "a filer is on NFS, and it is no");
	if (!is(ask(d, NULL, "mail_nfs_index"), "yes") &&
	    conf->index[OLD] == NULL)
		found(d, WARN, "dovecot mail_nfs_index", "mail_nfs_index = yes "
		    "where index files are on the filer", "a filer is on NFS, "
		    "and it is no");
}

static void
look_at_auth(struct doctor *d)
{
	char *size = ask(d, NULL, "auth_cache_size");

	if (size != NULL && strtol(size, NULL, 10) != 0)
		found(d, BAD, "dovecot auth_cache_size", "auth_cache_size = 0 "
		    "while users move", "it is %s: logins would go to the "
		    "former side for as long as the cache lives", size);
}

/* Mail that comes by another way than the LDA is not on both sides. */
static void
look_at_delivery(struct doctor *d)
{
	char *lda = ask(d, "protocol=lda", "mail_plugins");
	char *lmtp = ask(d, "protocol=lmtp", "mail_plugins");

	if (has(ask(d, NULL, "protocols"), "lmtp"))
		found(d, WARN, "dovecot protocols", "let Postfix deliver by "
		    "mailferry-lda to users who are not yet in new", "lmtp is "
		    "served: what comes that way is on one side only");
	if (has(lda, "sieve") || has(lmtp, "sieve"))
		found(d, WARN, "dovecot mail_plugins", "users with a sieve "
		    "script must not come to overlap before their mail comes "
		    "through the LDA", "sieve filters what comes by "
		    "dovecot-lda or LMTP, and not what comes by mailferry-lda");
}

/* The map knows `alice`, and of `Alice` what it says of everybody. */
static void
look_at_names(struct doctor *d)
{
	char *format = ask(d, NULL, "auth_username_format");

	if (format != NULL && *format != '\0' && !has(format, "%L"))
		found(d, WARN, "dovecot auth_username_format",
		    "auth_username_format = %Lu, where a userdb does not mind "
		    "the case", "it is %s: a user who logs in as Alice is not "
		    "the map's alice", format);
}

/* As the user that Dovecot's auth process runs as. */
static void
look_at_dict(struct doctor *d)
{
	const char *path = d->ad->conf->dict_socket;
	char *user = ask(d, NULL, "default_internal_user");
	int rc;

	if (geteuid() != 0 || user == NULL || access(path, F_OK) == -1)
		return;			/* no mapd: reported elsewhere */
	rc = doctor_connect(path, NULL, user);
	if (rc != 0 && rc != ECONNREFUSED)
		found(d, BAD, path, "dict_mode = 0666, or the group of the "
		    "socket's directory", "user %s: %s: nobody could log in",
		    user, strerror(rc));
}

void
doctor_dovecot(struct doctor *d)
{
	if (ask(d, NULL, "protocols") == NULL) {
		if (d->dovecot != NULL)
			found(d, BAD, "dovecot", "doveconf -n says what is "
			    "wrong", "doveconf cannot read %s", d->dovecot);
		return;
	}
	if (strcmp(d->ad->conf->map, "none") == 0 || !look_at_version(d))
		return;
	look_at_location(d);
	look_at_nfs(d);
	look_at_auth(d);
	look_at_delivery(d);
	look_at_names(d);
	look_at_dict(d);
	doctor_served(d, ask(d, NULL, "base_dir"));
}
