/* SPDX-License-Identifier: ISC */
/*
 * strangers.h - mail that came past the LDA to users on both sides
 */
#ifndef ADMIN_DOCTOR_STRANGERS_H
#define ADMIN_DOCTOR_STRANGERS_H

#include "admin/doctor/finding.h"

/* Report the mail of another deliverer in the inboxes of users in overlap or
 * settle. */
void		doctor_strangers(struct doctor *d);

#endif
