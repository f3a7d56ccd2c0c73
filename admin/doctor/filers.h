/* SPDX-License-Identifier: ISC */
/*
 * filers.h - the filers: their markers and their clocks
 */
#ifndef ADMIN_DOCTOR_FILERS_H
#define ADMIN_DOCTOR_FILERS_H

#include "admin/doctor/finding.h"

/* `--init`: make the marker in the root of each filer that is configured; a
 * line for each with --dry-run.  An error is err's, not a finding. */
enum status	doctor_init(struct doctor *d, struct err *err) MUST_CHECK;

/* Report for each filer: is its marker there, is its clock ours? */
void		doctor_filers(struct doctor *d);

#endif
