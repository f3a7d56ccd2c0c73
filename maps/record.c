/* SPDX-License-Identifier: ISC */
/*
 * record.c - what the map knows of one user: read from its text form
 *
 * Parsed at every delivery and for every question to mapd: one copy of the text
 * is cut in place, and nothing else is allocated but the two lists.
 */
#include "maps/record.h"

#include <stdint.h>
#include <string.h>

#define HEAD RECORD_HEAD

static const char *const states[] = {
	[STATE_NONE] = "none", [STATE_OLD] = "old", [STATE_OVERLAP] = "overlap",
	[STATE_CUTOVER] = "cutover", [STATE_SETTLE] = "settle",
	[STATE_NEW] = "new",
};

const char *
state_name(enum state state)
{
	return states[state];
}

enum state
state_parse(const char *name)
{
	enum state s;

	for (s = STATE_OLD; s <= STATE_NEW; s++)
		if (strcmp(name, states[s]) == 0)
			return s;
	return STATE_NONE;
}

const char *
side_name(enum side side)
{
	return side == OLD ? "old" : side == NEW ? "new" : "none";
}

enum side
record_leader(const struct record *rec)
{
	enum state s = rec->state == STATE_CUTOVER ? rec->entered : rec->state;

	return s == STATE_OLD || s == STATE_OVERLAP ? OLD : NEW;
}

/* The length of a well-formed UTF-8 sequence at p, 0 where there is none. */
static int
utf8_length(const unsigned char *p)
{
	int n, i;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 :
	    p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;	/* overlong, surrogate, beyond Unicode */
	return n;
}

/* How many bytes from p on are printable ASCII, no blank; eight at a time. */
static size_t
plain_length(const unsigned char *p, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t n = 0;
	uint64_t x;

	for (; len - n >= sizeof(x); n += sizeof(x)) {
		memcpy(&x, p + n, sizeof(x));
		/* A byte below 0x21 or above 0x7e sets its high bit.  The byte
		 * behind it may do so as well, and is looked at again. */
		if (((x - ones * 0x21) | (x + ones) | x) & ones * 0x80)
			break;
	}
	while (n < len && p[n] > ' ' && p[n] < 0x7f)
		n++;
	return n;
}

bool
record_text_valid(const char *text, bool blanks)
{
	const unsigned char *p = (const unsigned char *)text;
	const unsigned char *end = p + strlen(text);
	int n;

	for (;; p += n) {
		p += plain_length(p, (size_t)(end - p));
		if (p == end)
			break;
		n = utf8_length(p);
		if (n == 0 || *p < ' ' || *p == 0x7f || (!blanks && *p == ' '))
			return false;
	}
	return true;
}

bool
record_user_valid(const char *user)
{
	size_t len = strlen(user);

	return len > 0 && len <= RECORD_USER_MAX && user[0] != '*' &&
	    user[0] != '-' && strchr(user, '/') == NULL &&
	    strcmp(user, ".") != 0 && strcmp(user, "..") != 0 &&
	    record_text_valid(user, false);
}

/* Absolute, and without `..`. */
static bool
path_valid(const char *path)
{
	const char *p;

	if (path[0] != '/' || !record_text_valid(path, true))
		return false;
	for (p = strstr(path, "/.."); p != NULL; p = strstr(p + 1, "/.."))
		if (p[3] == '/' || p[3] == '\0')
			return false;
	return true;
}

struct parsing {
	struct record	*rec;
	const char	*user;
	uint32_t	 seen;		/* keys that may stand once, and did */
	bool		 valid;
};

static bool
number(const char *text, uint64_t max, uint64_t *n)
{
	const char *p = text;

	for (*n = 0; *p >= '0' && *p <= '9'; p++) {
		if (*n > (max - (uint64_t)(*p - '0')) / 10)
			return false;
		*n = *n * 10 + (uint64_t)(*p - '0');
	}
	return p != text && *p == '\0' && (text[0] != '0' || p == text + 1);
}

/* Cuts the next word off *text. */
static char *
word(char **text)
{
	char *w = *text, *end = strchr(w, ' ');

	*text = end == NULL ? w + strlen(w) : end + 1;
	if (end != NULL)
		*end = '\0';
	return w;
}

/* `\n` and `\\` in place; false for any other escape. */
static bool
unescape(char *text)
{
	char *out = text;

	for (; *text != '\0'; text++) {
		if (*text == '\\') {
			text++;
			if (*text != 'n' && *text != '\\')
				return false;
			*out++ = *text == 'n' ? '\n' : '\\';
		} else
			*out++ = *text;
	}
	*out = '\0';
	return true;
}

static bool
set_text(const char **field, char *value)
{
	if (!record_text_valid(value, true) || !unescape(value))
		return false;
	*field = value;
	return true;
}

static bool
set_path(const char **field, char *value)
{
	*field = value;
	return path_valid(value);
}

static bool
set_number(uint64_t *field, const char *value)
{
	return number(value, INT64_MAX, field);
}

static bool
set_window(struct record *rec, char *value)
{
	uint64_t begin, end;

	if (!number(word(&value), RECORD_TIME_MAX, &begin) ||
	    !number(word(&value), RECORD_TIME_MAX, &end) || *value != '\0')
		return false;
	rec->begin = (time_t)begin;
	rec->end = (time_t)end;
	return begin < end;
}

static bool
add_floor(struct record *rec, char *value)
{
	struct floor *f;
	uint64_t validity, next;
	char *guid = word(&value);

	if (strlen(guid) != 32 ||
	    strspn(guid, "0123456789abcdef") != 32 ||
	    !number(word(&value), UINT32_MAX, &validity) ||
	    !number(word(&value), UINT32_MAX, &next) || *value != '\0')
		return false;
	rec->floor = must(talloc_realloc(rec, rec->floor, struct floor,
	    (unsigned)rec->nfloor + 1));
	f = &rec->floor[rec->nfloor++];
	memcpy(f->guid, guid, sizeof(f->guid));
	f->validity = (uint32_t)validity;
	f->next = (uint32_t)next;
	return true;
}

void
record_fold_address(char *address)
{
	for (; *address != '\0'; address++)
		if (*address >= 'A' && *address <= 'Z')
			*address = (char)(*address - 'A' + 'a');
}

static bool
add_address(struct record *rec, char *value)
{
	size_t n = 0;

	record_fold_address(value);
	if (*value == '\0' || strlen(value) > 320 || !record_text_valid(value,
	    false))
		return false;
	while (rec->address[n] != NULL)
		n++;
	if (n == 0)			/* it is the static empty list */
		rec->address = must(talloc_array(rec, const char *, 2));
	else
		rec->address = must(talloc_realloc(rec, rec->address,
		    const char *, (unsigned)n + 2));
	rec->address[n] = value;
	rec->address[n + 1] = NULL;
	return true;
}

static bool
set_state(enum state *field, const char *value)
{
	*field = state_parse(value);
	return *field != STATE_NONE;
}

enum key {
	K_ADDRESS, K_AT, K_BY, K_DEFAULT, K_ENTERED, K_FLOOR, K_LED, K_NEW,
	K_NEW_CONTROL, K_NEW_INDEX, K_OLD, K_OLD_CONTROL, K_OLD_INDEX, K_STATE,
	K_UID, K_USER, K_VERSION, K_WHY, K_WINDOW, K_UNKNOWN,
};

static const char *const keys[] = {
	"address", "at", "by", "default", "entered", "floor", "led", "new",
	"new_control", "new_index", "old", "old_control", "old_index", "state",
	"uid", "user", "version", "why", "window",
};

/* The first key with this letter; K_ADDRESS for what begins no key. */
static const unsigned char first_key['z' + 1] = {
	['b'] = K_BY, ['d'] = K_DEFAULT, ['e'] = K_ENTERED, ['f'] = K_FLOOR,
	['l'] = K_LED, ['n'] = K_NEW, ['o'] = K_OLD, ['s'] = K_STATE,
	['u'] = K_UID, ['v'] = K_VERSION, ['w'] = K_WHY,
};

static enum key
key_parse(const char *name)
{
	unsigned char letter = (unsigned char)*name;
	enum key k = letter > 'z' ? K_UNKNOWN : (enum key)first_key[letter];

	for (; k < K_UNKNOWN && *keys[k] == *name; k++)
		if (strcmp(name, keys[k]) == 0)
			return k;
	return K_UNKNOWN;
}

bool
record_unknown_valid(const char *line)
{
	size_t len = strcspn(line, " ");
	enum key k;

	for (k = K_ADDRESS; k < K_UNKNOWN; k++)
		if (strlen(keys[k]) == len && strncmp(line, keys[k], len) == 0)
			return false;
	return len > 0 && line[len] == ' ' && line[len + 1] != '\0' &&
	    record_text_valid(line, true);
}

static bool
set_key(struct parsing *ps, enum key key, char *value)
{
	struct record *rec = ps->rec;
	uint64_t n;

	switch (key) {
	case K_USER:
		rec->user = value;
		return strcmp(value, ps->user) == 0;
	case K_DEFAULT:
		rec->is_default = strcmp(value, "yes") == 0;
		return rec->is_default;
	case K_UID:
		if (!number(value, UINT32_MAX - 1, &n))
			return false;
		rec->uid = (long)n;
		return true;
	case K_STATE:
		return set_state(&rec->state, value);
	case K_ENTERED:
		return set_state(&rec->entered, value);
	case K_WINDOW:
		return set_window(rec, value);
	case K_VERSION:
		return set_number(&rec->version, value);
	case K_LED:
		return set_number(&rec->led, value);
	case K_OLD:
		return set_path(&rec->side[OLD].mail, value);
	case K_OLD_CONTROL:
		return set_path(&rec->side[OLD].control, value);
	case K_OLD_INDEX:
		return set_path(&rec->side[OLD].index, value);
	case K_NEW:
		return set_path(&rec->side[NEW].mail, value);
	case K_NEW_CONTROL:
		return set_path(&rec->side[NEW].control, value);
	case K_NEW_INDEX:
		return set_path(&rec->side[NEW].index, value);
	case K_ADDRESS:
		return add_address(rec, value);
	case K_FLOOR:
		return add_floor(rec, value);
	case K_BY:
		return set_text(&rec->by, value);
	case K_AT:
		if (!number(value, RECORD_TIME_MAX, &n))
			return false;
		rec->at = (time_t)n;
		return true;
	case K_WHY:
		return set_text(&rec->why, value);
	case K_UNKNOWN:
		break;
	}
	return record_text_valid(value, true);
}

/* A line of a key that a newer program wrote: kept as it is. */
static void
keep_unknown(struct record *rec, const char *name, const char *value)
{
	rec->unknown = must(talloc_asprintf(rec, "%s%s %s\n", rec->unknown,
	    name, value));
}

static enum status
bad(struct err *err, const char *user, int line, const char *what)
{
	return err_set(err, ST_NEVER, "record of %s, line %d: %s", user, line,
	    what);
}

static enum status
parse_line(struct parsing *ps, char *line, int n, struct err *err)
{
	char *value = strchr(line, ' ');
	enum key key;

	if (value == NULL || value == line || value[1] == '\0') {
		/* only `why` may be empty */
		if (value == NULL || strncmp(line, "why ", 4) != 0)
			return bad(err, ps->user, n, "not `key value`");
	}
	*value++ = '\0';
	key = key_parse(line);
	if (key != K_ADDRESS && key != K_FLOOR && key != K_UNKNOWN) {
		if (ps->seen & 1u << key)
			return bad(err, ps->user, n, "the key is there twice");
		ps->seen |= 1u << key;
	}
	if (!set_key(ps, key, value) || (key == K_UNKNOWN &&
	    !record_text_valid(line, false)))
		return bad(err, ps->user, n, "the value is not valid");
	if (key == K_UNKNOWN)
		keep_unknown(ps->rec, line, value);
	return ST_OK;
}

/* What must hold between the keys. */
static const char *
inconsistent(const struct parsing *ps)
{
	const struct record *rec = ps->rec;

	if (rec->user == NULL)
		return "no user";
	if (rec->state == STATE_NONE)
		return "no state";
	if (rec->state == STATE_CUTOVER &&
	    (rec->entered != STATE_OVERLAP && rec->entered != STATE_SETTLE))
		return "a cutover came from overlap or from settle";
	if (rec->state == STATE_CUTOVER && rec->end == 0)
		return "a cutover without a window";
	if (rec->state != STATE_CUTOVER && rec->entered != STATE_NONE)
		return "only a cutover was entered from somewhere";
	if (rec->end != 0 && rec->state != STATE_CUTOVER &&
	    rec->state != STATE_OVERLAP && rec->state != STATE_SETTLE)
		return "a window is for overlap and settle";
	if (strcmp(rec->user, RECORD_DEFAULT) == 0 && rec->state != STATE_OLD &&
	    rec->state != STATE_NEW)
		return "the default is old or new";
	if (rec->led > rec->version)
		return "led in a version to come";
	return NULL;
}

enum status
record_parse(TALLOC_CTX *ctx, const char *user, const char *text, size_t len,
    struct record **rec, struct err *err)
{
	static const char *none[] = { NULL };
	struct parsing ps = { .user = user };
	enum status st = ST_OK;
	const char *wrong;
	char *copy, *line, *end;
	int n = 2;

	if (!record_user_valid(user) && strcmp(user, RECORD_DEFAULT) != 0)
		return err_set(err, ST_NEVER, "%s: not a user's name", user);
	if (len > RECORD_TEXT_MAX)
		return bad(err, user, 1, "too long");
	if (len < sizeof(HEAD) - 1 || memcmp(text, "mailferry ", 10) != 0)
		return bad(err, user, 1, "not a mailferry record");
	if (memcmp(text, HEAD, sizeof(HEAD) - 1) != 0)
		return bad(err, user, 1,
		    "written by a newer mailferry: upgrade this host");
	if (memchr(text, '\0', len) != NULL || text[len - 1] != '\n')
		return bad(err, user, 1, "not whole");
	ps.rec = must(talloc_pooled_object(ctx, struct record, 4,
	    (unsigned)len + 512));
	*ps.rec = (struct record){ .uid = -1, .address = none, .by = "",
	    .why = "", .unknown = "" };
	copy = must(talloc_size(ps.rec, len + 1));
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (line = copy + sizeof(HEAD) - 1; *line != '\0' && st == ST_OK;
	    line = end + 1, n++) {
		end = strchr(line, '\n');
		*end = '\0';
		st = parse_line(&ps, line, n, err);
	}
	if (st == ST_OK && (wrong = inconsistent(&ps)) != NULL)
		st = bad(err, user, n, wrong);
	if (st != ST_OK)
		talloc_free(ps.rec);
	else
		*rec = ps.rec;
	return st;
}

char *
record_escape(TALLOC_CTX *ctx, const char *text)
{
	char *out = must(talloc_size(ctx, 2 * strlen(text) + 1)), *p = out;
	int n;

	for (; *text != '\0'; text += n == 0 ? 1 : n) {
		n = utf8_length((const unsigned char *)text);
		if (n > 1)
			p = mempcpy(p, text, (size_t)n);
		else if (*text == '\n' || *text == '\\') {
			*p++ = '\\';
			*p++ = *text == '\n' ? 'n' : '\\';
		} else
			*p++ = n == 0 ? '?' :
			    *text < ' ' || *text == 0x7f ? ' ' : *text;
	}
	*p = '\0';
	return out;
}

/* The strings of a record, in the order in which a copy has them. */
#define STRINGS 10

static void
strings_of(struct record *rec, const char **string[STRINGS])
{
	int s, n = 0;

	string[n++] = &rec->user;
	for (s = OLD; s <= NEW; s++) {
		string[n++] = &rec->side[s].mail;
		string[n++] = &rec->side[s].control;
		string[n++] = &rec->side[s].index;
	}
	string[n++] = &rec->by;
	string[n++] = &rec->why;
	string[n] = &rec->unknown;
}

/* How many bytes the strings of a record have; *n: its number of addresses. */
static size_t
strings_size(const char **const string[STRINGS], const char **address,
    size_t *n)
{
	size_t size = 0;
	int i;

	for (i = 0; i < STRINGS; i++)
		if (*string[i] != NULL)
			size += strlen(*string[i]) + 1;
	for (*n = 0; address[*n] != NULL; ++*n)
		size += strlen(address[*n]) + 1;
	return size;
}

static const char *
put_string(char **to, const char *text)
{
	char *copy = *to;

	if (text == NULL)
		return NULL;
	*to = stpcpy(copy, text) + 1;
	return copy;
}

/* For each look-up that meets a record again: few pieces of memory. */
struct record *
record_copy(TALLOC_CTX *ctx, const struct record *rec)
{
	struct record all = *rec, *to;
	const char **string[STRINGS];
	size_t n, i, size;
	char *text;

	strings_of(&all, string);
	size = strings_size(string, rec->address, &n);
	to = must(talloc_pooled_object(ctx, struct record, 3, (unsigned)(size +
	    (n + 1) * sizeof(char *) + rec->nfloor * sizeof(*rec->floor))));
	text = must(talloc_size(to, size));
	for (i = 0; i < STRINGS; i++)
		*string[i] = put_string(&text, *string[i]);
	*to = all;
	to->address = must(talloc_array(to, const char *, (unsigned)n + 1));
	for (i = 0; i < n; i++)
		to->address[i] = put_string(&text, rec->address[i]);
	to->address[n] = NULL;
	to->floor = rec->nfloor == 0 ? NULL : must(talloc_memdup(to, rec->floor,
	    rec->nfloor * sizeof(*rec->floor)));
	return to;
}

bool
record_has_address(const struct record *rec, const char *addr)
{
	const char **a;

	if (rec != NULL)
		for (a = rec->address; *a != NULL; a++)
			if (strcmp(*a, addr) == 0)
				return true;
	return false;
}

uint32_t
record_floor(const struct record *rec, const char *guid, uint32_t validity)
{
	size_t i;

	for (i = 0; i < rec->nfloor; i++)
		if (rec->floor[i].validity == validity &&
		    strcmp(rec->floor[i].guid, guid) == 0)
			return rec->floor[i].next;
	return 0;
}
