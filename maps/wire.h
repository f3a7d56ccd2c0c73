/* SPDX-License-Identifier: ISC */
/*
 * wire.h - requests to mailferry-mapd and their results, for both ends
 *
 * Netstrings both ways on a unix stream socket, answers in the order of the
 * requests.  A request is a line of words, and for some a body behind its LF:
 *
 *	get USER [late]		the current record, after writing what is due;
 *				late: a record from mapd's cache is good enough
 *	stored USER		the stored record alone
 *	replace USER WAS AT LF BY LF WHY LF RECORD
 *				compare and swap: WAS is the version that is
 *				replaced, 0 none; no RECORD: delete it
 *	each CURSOR		records from a cursor on; none: from the first
 *	history USER LIMIT	changes, the latest first; `*`: of all users,
 *				`**`: of the map's default
 *	watch			every change from now on
 *	address ADDRESS		the user who has it
 *	recipient local|any LF ADDRESS
 *				the current record of the user who receives mail
 *				for it; NONE: no user who has a record
 *	begin			begin an import: its ID
 *	put ID USER WAS LF AT LF BY LF WHY LF RECORD
 *				one change of an import, as replace
 *	commit ID		make all of its changes, or none; to be repeated
 *				until nothing is left to be written
 *	abort ID		drop it
 *
 * BY and WHY have LF and backslash escaped.  The author in the history is the
 * uid at the other end of the socket, with BY as a remark; the time is mapd's,
 * AT is not used.  An answer is one of
 *
 *	OK LF BODY	NONE	AGAIN TEXT	NEVER TEXT
 *
 * The body of get and stored is a record, of replace the new version, of
 * address a user, of begin the ID, of commit how many records are left, of each
 * CURSOR LF and then, as of history and watch, texts of `LENGTH LF BYTES`.  A
 * watcher gets such an answer for every change until it closes the connection.
 *
 * For a user without a record the answer has `default yes` and no locations:
 * the client fills in the templates of its configuration.
 */
#ifndef MAPS_WIRE_H
#define MAPS_WIRE_H

#include <stddef.h>

#include "maps/base/err.h"
#include "maps/record.h"

#define WIRE_REQUEST_MAX (RECORD_TEXT_MAX + 4096)	/* bytes */
#define WIRE_LATE	 " late"
#define WIRE_ANSWER_MAX	 (1024 * 1024)			/* bytes */

/*
 * Take an answer apart: its outcome, and with ST_OK its body in place.
 * ST_AGAIN also for anything that is no answer.
 */
enum status	wire_result(const char *answer, size_t len, const char **body,
		    size_t *blen, struct err *err) MUST_CHECK;

#endif
