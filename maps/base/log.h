/* SPDX-License-Identifier: ISC */
/*
 * log.h - one event, one line, for a person and for grep
 *
 *	struct logline l;
 *	log_begin(&l, LOG_INFO, "delivered");
 *	log_str(&l, "user", user);
 *	log_num(&l, "uid", uid);
 *	log_end(&l);
 *
 * gives `delivered user=alice uid=4711`.  Values with blanks, quotes or bytes
 * that are not printable ASCII are put in double quotes and escaped (\" \\
 * \xHH), so that no message can forge a line.  Never a subject or a body.
 * Threads may log at the same time, once log_open() has returned.
 */
#ifndef MAPS_BASE_LOG_H
#define MAPS_BASE_LOG_H

#include <stddef.h>
#include <syslog.h>			/* LOG_ERR ... LOG_DEBUG */

struct logline {
	int	 level;
	size_t	 len;
	char	 text[1900];		/* every syslogd takes that much */
};

/*
 * Where lines go.  Nothing is opened before the first line.
 *
 * program  static string, the tag.
 * target   "syslog" (facility mail, /dev/log, never waiting for it), "stderr",
 *          "none".  Returns -1 for any other word, and changes nothing then.
 * level    lines above it (LOG_DEBUG is the highest) are dropped.
 */
int	log_open(const char *program, const char *target, int level);

void	log_begin(struct logline *l, int level, const char *event);
void	log_str(struct logline *l, const char *key, const char *value);
void	log_num(struct logline *l, const char *key, long long value);
void	log_end(struct logline *l);

/* In a child that has closed the descriptors of its parent. */
void	log_forked(void);

/* A line with `why` alone: `EVENT why="TEXT"`. */
void	log_why(int level, const char *event, const char *why);

#endif
