/* SPDX-License-Identifier: ISC */
/*
 * milter.c - a milter that does the least: libmilter and one tdb_fetch
 *
 *	milter CONNECTION TDB KEY-PREFIX
 *
 * looks up KEY-PREFIX.LOCALPART and accepts the recipient.
 *
 * tdb may not be used by two threads at once: one lock around the fetch.
 */
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tdb.h>

static struct tdb_context *tdb;
static const char *prefix;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
    unsigned long f3, unsigned long *pf0, unsigned long *pf1,
    unsigned long *pf2, unsigned long *pf3)
{
	static char wanted[] = "{rcpt_addr}";

	*pf0 = f0 & SMFIF_SETSYMLIST;
	*pf1 = f1 & (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL |
	    SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOHDRS | SMFIP_NOEOH |
	    SMFIP_NOBODY);
	*pf2 = *pf3 = f2 & f3 & 0;
	if (*pf0 != 0)
		smfi_setsymlist(ctx, SMFIM_ENVRCPT, wanted);
	return SMFIS_CONTINUE;
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	static char name[] = "{rcpt_addr}";
	const char *rcpt = smfi_getsymval(ctx, name);
	char key[300];
	TDB_DATA v;
	int len;

	if (rcpt == NULL)
		rcpt = argv[0];
	len = snprintf(key, sizeof(key), "%s%.*s", prefix,
	    (int)strcspn(rcpt, "@"), rcpt);
	pthread_mutex_lock(&lock);
	v = tdb_fetch(tdb, (TDB_DATA){ (unsigned char *)key, (size_t)len });
	pthread_mutex_unlock(&lock);
	if (v.dptr == NULL) {
		fprintf(stderr, "%s is not there\n", key);
		exit(1);
	}
	free(v.dptr);
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct smfiDesc desc = { .xxfi_name = argv[0],
	    .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_SETSYMLIST,
	    .xxfi_negotiate = on_negotiate, .xxfi_envrcpt = on_rcpt };

	if (argc != 4)
		return 2;
	prefix = argv[3];
	tdb = tdb_open(argv[2], 0, TDB_INCOMPATIBLE_HASH, O_RDWR, 0600);
	if (tdb == NULL || smfi_register(desc) != MI_SUCCESS ||
	    smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_setbacklog(1024) != MI_SUCCESS ||
	    smfi_opensocket(1) != MI_SUCCESS)
		return 1;
	return smfi_main();
}
