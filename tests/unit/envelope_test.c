/* SPDX-License-Identifier: ISC */
/*
 * envelope_test.c - procmail's command line, Postfix's environment
 */
#include "tests/unit/test.h"

#include "lda/envelope.h"

static const char *postfix[] = { "USER=alice", "LOGNAME=alice",
	"HOME=/home/alice", "EXTENSION=lists", "RECIPIENT=Alice+lists@x.test",
	"SENDER=", NULL };
static const char *nothing[] = { NULL };

static struct envelope *
read_it(const char **argv, const char **envp)
{
	struct envelope *env = NULL;
	struct err err;

	if (envelope_read(NULL, 0, (char **)argv, (char **)envp, &env, &err) !=
	    ST_OK)
		fail_msg("%s", err.text);
	return env;
}

static void
from_postfix(void **state)
{
	const char *argv[] = { "lda", "-t", "-a", "Shop", NULL };
	const char *bare[] = { "lda", NULL };
	struct envelope *env = read_it(argv, postfix);

	(void)state;
	assert_string_equal(env->env_user, "alice");
	assert_string_equal(env->home, "/home/alice");
	assert_string_equal(env->extension, "Shop");
	assert_string_equal(env->recipient, "Alice+lists@x.test");
	assert_string_equal(env->sender, "");
	assert_true(env->tempfail);
	talloc_free(env);
	env = read_it(bare, postfix);
	assert_string_equal(env->extension, "lists");
	talloc_free(env);
	env = read_it(bare, nothing);
	assert_null(env->env_user);
	assert_null(env->sender);
	assert_string_equal(env->extension, "");
	talloc_free(env);
}

static void
as_procmail_reads_them(void **state)
{
	const char *argv[] = { "lda", "-tYof-", "-aone", "-a", "two",
		"--config", "/c", "--", "-odd", "X=a=b", "Y=", "rc", "X=c",
		"/dev/null", NULL };
	struct envelope *env = read_it(argv, nothing);

	(void)state;
	assert_true(env->tempfail && env->berkeley && env->override_from);
	assert_int_equal(env->from, FROM_REFRESH);
	assert_string_equal(env->args[0], "one");
	assert_string_equal(env->args[1], "two");
	assert_null(env->args[2]);
	assert_null(env->recipient_user);
	assert_string_equal(env->config, "/c");
	assert_int_equal(env->nset, 3);
	assert_string_equal(envelope_set(env, "X"), "c");
	assert_string_equal(envelope_set(env, "Y"), "");
	assert_null(envelope_set(env, "Z"));
	assert_true(env->no_rcfile);
	assert_string_equal(env->set[0].name, "X");
	assert_string_equal(env->set[0].value, "a=b");
	assert_null(env->set[1].value);
	assert_string_equal(env->rcfiles[0], "-odd");
	assert_string_equal(env->rcfiles[1], "rc");
	assert_null(env->rcfiles[2]);
	talloc_free(env);
}

/* Behind -d there are recipients, not rc files. */
static void
several_recipients(void **state)
{
	const char *argv[] = { "lda", "-t", "-d", "bob", "eve", "X=1", "joe",
		NULL };
	struct envelope *env = read_it(argv, nothing);

	(void)state;
	assert_string_equal(env->recipient_user, "bob");
	assert_string_equal(env->more_users[0], "eve");
	assert_string_equal(env->more_users[1], "joe");
	assert_null(env->more_users[2]);
	assert_null(env->rcfiles[0]);
	assert_false(env->no_rcfile);
	talloc_free(env);
}

static void
refused(void **state)
{
	const char *bad[][3] = { { "lda", "-d", NULL },
	    { "lda", "-td", NULL }, { "lda", "--confog", NULL },
	    { "lda", "--config", NULL } };
	struct envelope *env;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(envelope_read(NULL, 0, (char **)bad[i],
				     (char **)nothing, &env, &err),
		    ST_NEVER);
}

/* As procmail: a letter that is no option, or that lacks its argument (`-a
 * $EXTENSION` without one), is reported and ignored; -m has one rc file
 * and its arguments; -d suits neither -m nor -p. */
static void
what_is_told_only(void **state)
{
	const char *unknown[] = { "lda", "-Q", "-tQx", "rc", NULL };
	const char *lacking[] = { "lda", "-ta", NULL };
	const char *filter[] = { "lda", "-m", "A=1", "rc", "B=2", "arg", NULL };
	const char *both[] = { "lda", "-pm", "-d", "alice", NULL };
	struct envelope *env;
	struct err err;

	(void)state;
	assert_int_equal(envelope_read(NULL, 0, (char **)unknown,
			     (char **)nothing, &env, &err),
	    ST_OK);
	assert_string_equal(env->unknown, "Qx");
	assert_null(env->lacking);
	assert_true(env->tempfail);
	assert_string_equal(env->rcfiles[0], "rc");
	talloc_free(env);
	assert_int_equal(envelope_read(NULL, 0, (char **)lacking,
			     (char **)nothing, &env, &err),
	    ST_OK);
	assert_string_equal(env->lacking, "a");
	assert_true(env->tempfail);
	assert_null(env->args[0]);
	talloc_free(env);
	assert_int_equal(envelope_read(NULL, 0, (char **)filter,
			     (char **)nothing, &env, &err),
	    ST_OK);
	assert_string_equal(env->rcfiles[0], "rc");
	assert_null(env->rcfiles[1]);
	assert_int_equal(env->nset, 1);
	assert_string_equal(env->operands[2], "B=2");
	assert_string_equal(env->operands[3], "arg");
	talloc_free(env);
	assert_int_equal(
	    envelope_read(NULL, 0, (char **)both, (char **)nothing, &env, &err),
	    ST_OK);
	assert_false(env->mailfilter || env->preserve_env);
	talloc_free(env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_postfix),
		cmocka_unit_test(as_procmail_reads_them),
		cmocka_unit_test(several_recipients),
		cmocka_unit_test(refused),
		cmocka_unit_test(what_is_told_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
