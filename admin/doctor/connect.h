/* SPDX-License-Identifier: ISC */
/*
 * connect.h - can another user reach a unix socket?
 */
#ifndef ADMIN_DOCTOR_CONNECT_H
#define ADMIN_DOCTOR_CONNECT_H

/*
 * Try it in a child: in chroot `root` (NULL: none), as `user` (NULL: as we
 * are).  0, or the errno of the first call that failed; ESRCH: there is no such
 * user.
 */
int		doctor_connect(const char *path, const char *root,
		    const char *user);

#endif
