/* SPDX-License-Identifier: ISC */
/*
 * backend.c - the kinds of map that one test-suite is run against
 */
#include "tests/unit/backend.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLAPD "/usr/sbin/slapd"

struct conf *backend_conf;
static enum kind kind;
static char dir[] = "/tmp/mfback.XXXXXX";
static char uri[200], base[64];
static pid_t slapd, mapd;
static int serial;

const char *
backend_uri(void)
{
	return uri;
}

const char *
backend_base(void)
{
	return base;
}

pid_t
backend_slapd(void)
{
	return slapd;
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	char *path = talloc_asprintf(NULL, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 ||
	    chmod(path, mode) == -1)
		fail_msg("cannot write %s", path);
	talloc_free(path);
}

static pid_t
start(char *const argv[])
{
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A program of one run does not free at its end. */
	(void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	fd = open("/dev/null", O_RDWR);
	(void)dup2(fd, 0);
	if (getenv("BACKEND_DEBUG") == NULL) {
		(void)dup2(fd, 1);
		(void)dup2(fd, 2);
	}
	(void)execv(argv[0], argv);
	_exit(127);
}

static void
stop(pid_t *pid)
{
	int status;

	if (*pid <= 0)
		return;
	(void)kill(*pid, SIGTERM);
	(void)kill(*pid, SIGCONT);
	(void)waitpid(*pid, &status, 0);
	*pid = 0;
}

/* Somebody listens there. */
static bool
appears(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), i;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (i = 0; i < 1000 && connect(fd, (struct sockaddr *)&addr,
	    sizeof(addr)) == -1; i++)
		(void)usleep(10000);
	(void)close(fd);
	return i < 1000;
}

#ifdef WITH_LDAP
#include <ldap.h>

/* The source's directory, from where this file was compiled. */
static char *
source_dir(void)
{
	char *path = realpath(__FILE__, NULL), *end;

	end = path == NULL ? NULL : strstr(path, "/tests/unit/");
	if (end != NULL)
		*end = '\0';
	return path;
}

static int
start_slapd(void)
{
	char *src = source_dir(), *text, *conf, *sock, *p;
	size_t n = 0;

	if (src == NULL || access(SLAPD, X_OK) == -1)
		return -1;
	sock = talloc_asprintf(NULL, "%s/ldapi", dir);
	conf = talloc_asprintf(sock, "%s/slapd.conf", dir);
	text = talloc_asprintf(sock,
	    "include /etc/ldap/schema/core.schema\n"
	    "include /etc/ldap/schema/cosine.schema\n"
	    "include /etc/ldap/schema/inetorgperson.schema\n"
	    "include %s/examples/mailferry.schema\n"
	    "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
	    "authz-regexp gidNumber=.*,cn=peercred,cn=external,cn=auth "
	    "cn=root,dc=t\n"
	    "database mdb\nsuffix dc=t\nrootdn cn=root,dc=t\ndirectory %s/db\n"
	    "maxsize 268435456\ndbnosync\n"
	    "index objectClass,uid,mailferryUser,mailferryAddress eq\n"
	    "index mailferryStagedAddress,mailferryShelf,mailferryImport eq\n"
	    "index mailferrySequence,mailferryChanged,mailferryAt eq\n",
	    src, dir);
	free(src);
	write_file("slapd.conf", text, 0600);
	(void)mkdir(talloc_asprintf(sock, "%s/db", dir), 0700);
	n = (size_t)snprintf(uri, sizeof(uri), "ldapi://");
	for (p = sock; *p != '\0'; p++)
		n += (size_t)snprintf(uri + n, sizeof(uri) - n, *p == '/' ?
		    "%%2f" : "%c", *p);
	slapd = start((char *[]){ (char *)SLAPD, (char *)"-d", (char *)"none",
	    (char *)"-f", conf, (char *)"-h", uri, NULL });
	n = appears(sock);
	talloc_free(sock);
	return n ? 0 : -1;
}

/* `dc=t`, and below it an organization for each map. */
static void
make_base(void)
{
	char *classes[] = { (char *)"organization", (char *)"dcObject", NULL };
	char *o[] = { base + 2, NULL }, *dc[] = { (char *)"t", NULL };
	LDAPMod oc = { LDAP_MOD_ADD, (char *)"objectClass", { classes } };
	LDAPMod oo = { LDAP_MOD_ADD, (char *)"o", { o } };
	LDAPMod od = { LDAP_MOD_ADD, (char *)"dc", { dc } };
	LDAPMod *root[] = { &oc, &oo, &od, NULL }, *one[] = { &oc, &oo, NULL };
	struct berval cred = { 0, (char *)"" };
	int version = 3, rc, i;
	LDAP *ld = NULL;

	(void)snprintf(base, sizeof(base), "o=m%d", serial);
	(void)ldap_initialize(&ld, uri);
	(void)ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	for (i = 0; (rc = ldap_sasl_bind_s(ld, NULL, "EXTERNAL", &cred, NULL,
	    NULL, NULL)) != LDAP_SUCCESS && i < 200; i++)
		(void)usleep(20000);
	if (rc == LDAP_SUCCESS)
		rc = ldap_add_ext_s(ld, "dc=t", root, NULL, NULL);
	classes[1] = NULL;
	(void)snprintf(base, sizeof(base), "o=m%d,dc=t", serial);
	o[0] = (char *)"x";
	if (rc == LDAP_SUCCESS || rc == LDAP_ALREADY_EXISTS) {
		char *name[] = { NULL, NULL };

		name[0] = talloc_strndup(NULL, base + 2, strcspn(base + 2,
		    ","));
		oo.mod_values = name;
		rc = ldap_add_ext_s(ld, base, one, NULL, NULL);
		talloc_free(name[0]);
	}
	(void)ldap_unbind_ext(ld, NULL, NULL);
	if (rc != LDAP_SUCCESS)
		fail_msg("%s: %s", base, ldap_err2string(rc));
}
#else
static int
start_slapd(void)
{
	return -1;
}

static void
make_base(void)
{
}
#endif

int
backend_begin(enum kind k)
{
	kind = k;
	(void)snprintf(strrchr(dir, '.'), 8, ".XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	return kind == LDAP_ || kind == SOCKET_LDAP ? start_slapd() : 0;
}

void
backend_end(void)
{
	char *argv[] = { (char *)"/bin/rm", (char *)"-rf", dir, NULL };
	pid_t pid;

	stop(&mapd);
	stop(&slapd);
	pid = start(argv);
	(void)waitpid(pid, NULL, 0);
	talloc_free(backend_conf);
	backend_conf = NULL;
}

static void
start_mapd(void)
{
	char *conf = talloc_asprintf(NULL, "%s/conf", dir);
	char *sock = talloc_asprintf(conf, "%s/run%d/map.sock", dir, serial);

	stop(&mapd);
	mapd = start((char *[]){ (char *)"maps/mailferry-mapd",
	    (char *)"--config", conf, (char *)"--log", (char *)
	    (getenv("BACKEND_DEBUG") == NULL ? "none" : "stderr"), NULL });
	if (!appears(sock))
		fail_msg("mailferry-mapd did not start");
	talloc_free(conf);
}

struct map *
backend_open(void)
{
	bool asks = kind == SOCKET || kind == SOCKET_LDAP;
	struct map *map = NULL;
	struct err err;

	if (map_open(NULL, backend_conf, asks ? 0 : MAP_OWNER | MAP_CREATE,
	    &map, &err) != ST_OK)
		fail_msg("%s", err.text);
	return map;
}

struct map *
backend_fresh(void)
{
	bool ldap = kind == LDAP_ || kind == SOCKET_LDAP;
	char text[1000], ltext[500], file[32];
	struct err err;

	serial++;
	if (ldap) {
		make_base();
		(void)snprintf(ltext, sizeof(ltext), "uri = %s\nbase = %s\n",
		    uri, base);
		write_file("ldap.conf", ltext, 0600);
	}
	(void)snprintf(file, sizeof(file), "map%d.tdb", serial);
	(void)snprintf(text, sizeof(text), "map = %s:%s/%s\nsocket_dir = "
	    "%s/run%d\nold_mail = /f1/%%u\nnew_mail = /f2/%%u\n", ldap ?
	    "ldap" : "tdb", dir, ldap ? "ldap.conf" : file, dir, serial);
	write_file("conf", text, 0600);
	talloc_free(backend_conf);
	if (conf_parse(NULL, "conf", text, strlen(text), &backend_conf, &err) !=
	    ST_OK)
		fail_msg("%s", err.text);
	if (kind == SOCKET || kind == SOCKET_LDAP)
		start_mapd();
	return backend_open();
}
