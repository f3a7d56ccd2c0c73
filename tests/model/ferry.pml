/* SPDX-License-Identifier: ISC */
/* ferry.pml - the delivery protocol: one user, one mailbox, two
 * sides, in Promela.  README.md says what is covered; run.sh checks it.
 *
 * Side 0 is old, side 1 is new.  A "name" is the base name of one attempt to
 * deliver one message (message * NA + attempt); the last name is what the
 * client APPENDs.  Every statement between two CRASH points is one durable
 * step on one side.
 */
#ifndef MAXC
#define MAXC 1			/* crashes of deliverers, all together */
#endif
#ifndef NM
#define NM 2			/* messages, one deliverer each */
#endif
#ifndef NA
#ifdef TWIN
#define NA (MAXC + 2)		/* attempts of one message */
#else
#define NA (MAXC + 1)
#endif
#endif
#ifndef MAXM
#define MAXM 1			/* mirror passes beside the mover's own */
#endif
#ifndef MAXX
#define MAXX 1			/* windows that end before the mover is done */
#endif
#define APP (NM * NA)		/* the client's own message */
#ifdef GHOST
#define NN (NM * NA + 2)	/* names */
#define STRAY (NM * NA + 1)	/* of the session that survived */
#else
#define NN (NM * NA + 1)
#endif
#ifndef MARGIN
#define MARGIN NN		/* FORCED: UIDs skipped; more than old can have used since */
#endif
#define NU (2 * NN + 4)		/* UIDs */

#ifndef FILE_FIRST_SERVED
#define FILE_FIRST_SERVED false
#endif

/* states of the map */
#define OLD 0
#define OVER 1
#define CUT 2
#define SETTLE 3
#define NEW 4
/* a file on a side */
#define NOFILE 0
#define TMP 1
#define IN 2
#define VOIDED 3		/* tmp/ file renamed to its void name: fenced */
/* a log entry on a side */
#define NOLOG 0
#define INTENT 1
#define DONE 2
#define VOID 3
/* who holds a lock: deliverers are 1 .. NM */
#define EFFECT_ 7
#define MIRROR 8
#define MOVER 9
#define NOBODY 9		/* no IMAP session */

typedef side {
	byte f[NN];		/* file of this name */
	byte uid[NN];		/* its line in dovecot-uidlist, 0: none */
	byte lg[NN];		/* its entry in the delivery log */
#ifdef GHOST
	bool mk[NN];		/* its line has our mark */
	byte led;		/* led_next: where this side stopped leading */
#endif
	byte next;		/* next UID */
	byte lock;		/* holder of dovecot-uidlist.lock */
	bool stale;		/* ... who is dead, or is taken for dead */
};
side S[2];
byte au[NN];			/* UID of an attempt, as its log entry has it */

byte st = OLD, from;		/* the map's record */
byte ver;
bool expired;			/* LEASE_CLOCK only */
bool frozen;			/* barrier of a cutover passed */
bool dual;			/* barrier of overlap or settle passed */
#ifdef GHOST
bool served;			/* both sides have had clients */
bool strayed;
bool burned;
#endif
#ifdef RESTORE
bool restored;			/* old, which leads, is from a snapshot now */
bool deferred[NM];
#endif

byte sess = NOBODY;		/* side that the client's session is on */
byte cand = NOBODY;		/* side that a login under way was told */
byte seen[NU];			/* name + 1 the client saw under a UID */
byte seennext;
bool expunged[NN];
bool appended;

byte ncrash, finished;
bool moved, alldone;

#ifdef LEASE_CLOCK
#define EFF ((st == CUT && expired) -> from : st)
#else
#define EFF st
#endif
#ifdef TWIN
#define ENDS (NM + 1)
#else
#define ENDS NM
#endif
#define LEADER(e) ((e == OLD || e == OVER) -> 0 : 1)
#define BOTH(e) (e == OVER || e == SETTLE)
#define FREE(s) (S[s].lock == 0 || S[s].stale)

#define CRASH(where) \
	if \
	:: ncrash < MAXC -> ncrash++; goto crashed \
	:: true \
	fi

/* Has this attempt reached new/?  tmp/ tells, new/ does not: a client may have
 * moved or expunged the file. */
#ifdef LOOK_IN_NEW
#define LANDED(s, i) (S[s].f[i] == IN)
#elif defined(FENCE_UNSEEN)	/* who fenced it died before he could log it */
#define LANDED(s, i) (S[s].f[i] != TMP)
#else
#define LANDED(s, i) (S[s].f[i] != TMP && S[s].f[i] != VOIDED)
#endif

/* An attempt declared void loses its files, also the one in tmp/. */
#ifdef NO_FENCE
#define UNFILE(s, i) S[s].f[i] = (S[s].f[i] == TMP -> TMP : NOFILE)
#else
#define UNFILE(s, i) S[s].f[i] = NOFILE
#endif

/* Right before every write: is the lock still ours? */
#if defined(STALL) && !defined(NO_RECHECK)
#define CHECK \
	if \
	:: ((two || l == 0) && S[0].lock != me) || \
	   ((two || l == 1) && S[1].lock != me) -> goto crashed \
	:: else \
	fi
#else
#define CHECK skip
#endif
#ifdef RACY			/* the sleep falls between the look and rename() */
#define CHECK_RENAME skip
#else
#define CHECK_RENAME CHECK
#endif

/*
 * Was the leader restored?  The follower has a message at a UID that the leader has given
 * to another one, or not yet.  The loop of the caller's process goes on where it is not so.
 */
#ifdef RESTORE
#define OTHER(l, i) \
	(S[1 - l].f[i] == IN && S[1 - l].uid[i] != 0 && \
	S[l].uid[i] != S[1 - l].uid[i] && \
	(S[1 - l].uid[i] >= S[l].next || (i != APP && \
	S[l].uid[APP] == S[1 - l].uid[i])))
inline compare(l, i, bad)
{
	i = 0; bad = false;
	do
	:: i < NN -> bad = bad || OTHER(l, i); i++
	:: else -> i = 0; break
	od
}
#endif

inline take(s, who)
{
	atomic { FREE(s) -> S[s].lock = who; S[s].stale = false }
}

inline drop(s, who)
{
	atomic {
		if
		:: S[s].lock == who -> S[s].lock = 0; S[s].stale = false
		:: else
		fi
	}
}

/* Our line on a follower that was ever served has a mark. */
#if defined(GHOST) && !defined(NO_MARK)
#define MARK(s, i) S[s].mk[i] = served
#else
#define MARK(s, i) skip
#endif

/* A follower's message that the leader lacks: was it expunged there?  Not what a session
 * stored here, which survived the hand-over. */
#ifdef GHOST
#ifdef NO_LED_NEXT
#define BELOW(s, i) false
#else
#define BELOW(s, i) (S[s].uid[i] != 0 && S[s].uid[i] < S[s].led)
#endif
#ifdef NO_STRAY
#define OURS(s, i) true
#else
#define OURS(s, i) (!served || S[s].mk[i] || BELOW(s, i))
#endif
#else
#define OURS(s, i) true
#endif

/* What a follower that was served lacks, the mirror fills in. */
#ifdef GHOST
#define LATER served
#else
#define LATER false
#endif

#define raise(s, u) \
	S[s].next = (S[s].next <= (u) -> (u) + 1 : S[s].next)

/* What Dovecot does under the lock: a file without a line gets the next UID,
 * a line without a file goes. */
inline number(s, i)
{
	i = 0;
	do
	:: i < NN ->
		if
		:: S[s].f[i] == IN && S[s].uid[i] == 0 ->
			S[s].uid[i] = S[s].next; S[s].next++
		:: S[s].f[i] != IN && S[s].uid[i] != 0 ->
			S[s].uid[i] = 0;
#ifdef GHOST
			S[s].mk[i] = false
#endif
		:: else
		fi;
		i++
	:: else -> break
	od
}

/* One message of a mirror pass, under both locks. */
inline mirror_one(l, i)
{
	if
	:: S[l].f[i] == IN ->
		if
		:: S[l].uid[i] == 0 ->
			S[l].uid[i] = S[l].next; S[l].next++
		:: else
		fi;
		S[1 - l].f[i] = IN;
		S[1 - l].uid[i] = S[l].uid[i]; MARK(1 - l, i);
		raise(1 - l, S[l].uid[i])
	:: S[l].f[i] != IN && S[1 - l].f[i] == IN && OURS(1 - l, i) ->
		S[1 - l].f[i] = NOFILE; S[1 - l].uid[i] = 0
	:: S[l].f[i] != IN && S[1 - l].f[i] == IN && !OURS(1 - l, i) ->
		S[l].uid[i] = (S[l].next > S[1 - l].next -> S[l].next :
		    S[1 - l].next);
		S[1 - l].uid[i] = S[l].uid[i]; MARK(1 - l, i);
		S[l].f[i] = IN;
		raise(l, S[l].uid[i]); raise(1 - l, S[l].uid[i])
	:: else
	fi;
#ifndef NO_LOGCOPY
	if
	:: S[l].lg[i] == DONE -> S[1 - l].lg[i] = DONE
	:: else
	fi;
#endif
}

/* Before the leader changes: every intent becomes done or void, on both
 * sides.  Who is still alive with such an intent has lost its tmp/ file. */
inline resolve_one(l, i)
{
	if
	:: S[l].lg[i] == INTENT ||
	   (S[l].lg[i] != DONE && S[1 - l].lg[i] == INTENT) ->
		if
		:: S[1 - l].lg[i] == DONE -> S[l].lg[i] = DONE
		:: S[1 - l].lg[i] != DONE && S[l].lg[i] == INTENT &&
		   LANDED(l, i) ->
			if		/* the follower lost its rename */
			:: S[l].f[i] == IN && S[1 - l].f[i] != IN &&
			   S[1 - l].uid[i] != 0 -> S[1 - l].f[i] = IN
			:: else
			fi;
			S[l].lg[i] = DONE; S[1 - l].lg[i] = DONE
		:: else ->
			S[l].lg[i] = VOID; S[1 - l].lg[i] = VOID;
			UNFILE(l, i); UNFILE(1 - l, i);
			S[l].uid[i] = 0; S[1 - l].uid[i] = 0
		fi
	:: else
	fi
}

inline commit(s, i)		/* tmp/ to new/ */
{
	if
	:: S[s].f[i] != TMP -> goto crashed	/* fenced */
	:: else
	fi;
	assert(!frozen);
	assert(two || !dual);
	S[s].f[i] = IN;
}

/* k0 > 0: the same message a second time while the first run still lives
 * (postfix stop, or a time limit that killed local(8) only). */
proctype lda(byte m; byte k0; byte me)
{
	byte k = k0, n, e, l, p, j, u;
	bool two, known;
#ifdef RESTORE
	bool bad;
#endif

again:	atomic {
		n = m * NA + k;
		EFF != CUT;		/* else: 4.x.x, and Postfix comes again */
		e = EFF; l = LEADER(e); two = BOTH(e);
		S[l].f[n] = TMP;
		if :: two -> S[1 - l].f[n] = TMP :: else fi
	}
	if :: two || l == 0 -> take(0, me) :: else fi;
	if :: two || l == 1 -> take(1, me) :: else fi;
#ifndef NO_REASK
	atomic {
		if
		:: EFF != e ->		/* the plan changed: from the beginning */
			S[0].f[n] = NOFILE; S[1].f[n] = NOFILE;
			drop(1, me); drop(0, me);
			goto again
		:: else
		fi
	}
#endif
	atomic { CRASH(locked) };

#if defined(RESTORE) && !defined(NO_COMPARE)
	atomic {
		if
		:: two -> compare(l, p, bad)
		:: else
		fi;
		if			/* 75: Postfix comes again for days */
		:: bad -> deferred[m] = true; bad = false; goto out
		:: else
		fi
	};
#endif
#ifndef NO_LOG
	/* what earlier attempts left, of any message */
	j = 0;
	do
	:: j == n -> j++
	:: j < APP && j != n ->
		p = j;
		if
		:: atomic { S[l].lg[p] == DONE ||
		     (two && S[1 - l].lg[p] == DONE) -> known = known || p / NA == m }
		:: atomic { S[l].lg[p] == INTENT && (!two || S[1 - l].lg[p] != DONE) &&
		     (!LANDED(l, p)) ->
			CHECK;
#ifndef NO_FENCE
			S[l].f[p] = VOIDED;	/* the fence */
#endif
			CRASH(fenced) };
			atomic {
				CHECK;
				if
				:: two ->
					UNFILE(1 - l, p);
					S[1 - l].uid[p] = 0;
					S[1 - l].lg[p] = VOID
				:: else
				fi;
				CRASH(cleaned)
			};
			atomic {
				CHECK;
				S[l].lg[p] = VOID; S[l].uid[p] = 0;
				UNFILE(l, p)
			}
		:: atomic { S[l].lg[p] == INTENT && (!two || S[1 - l].lg[p] != DONE) &&
		     LANDED(l, p) ->
			CHECK;
			known = known || p / NA == m;
			if
#ifdef FILL_ANY
			:: two && S[l].f[p] == IN && S[1 - l].f[p] != IN ->
				S[1 - l].f[p] = IN; S[1 - l].uid[p] = au[p];
				raise(1 - l, au[p])
#else				/* without a line there it is for catching up */
			:: two && S[l].f[p] == IN && S[1 - l].f[p] != IN &&
			   S[1 - l].uid[p] != 0 ->
				S[1 - l].f[p] = IN
#endif
			:: else
			fi;
			CRASH(finishing);
			S[l].lg[p] = DONE;
			if :: two -> S[1 - l].lg[p] = DONE :: else fi }
		:: atomic { S[l].lg[p] != INTENT && S[l].lg[p] != DONE &&
		     (!two || S[1 - l].lg[p] != DONE) ->
			CHECK;
			if
			:: two && S[1 - l].lg[p] == INTENT ->
				S[1 - l].lg[p] = VOID; UNFILE(1 - l, p);
				S[1 - l].uid[p] = 0
			:: else
			fi }
		fi;
		j++
	:: else -> break
	od;
	if
	:: known -> goto out
	:: else
	fi;
#endif

#ifndef NO_CATCHUP
	if
	:: two ->
		/* in the order of UIDs; a crash leaves a prefix done */
		do
		:: atomic {
			/* smallest UID of the leader not below the follower's next */
			CHECK;
			u = 0; p = 0;
			do
			:: p < NN ->
				if
				:: S[l].f[p] == IN && S[l].uid[p] >= S[1 - l].next &&
				   S[l].uid[p] > 0 && (u == 0 || S[l].uid[p] < u) ->
					u = S[l].uid[p]; j = p
				:: else
				fi;
				p++
			:: else -> break
			od;
			if
			:: u == 0 -> break
			:: else ->
#ifdef GHOST
				/* Where a session may have survived the line is
				 * the first, else the file. */
				if
				:: served && !FILE_FIRST_SERVED ->
					S[1 - l].uid[j] = u; MARK(1 - l, j);
					S[1 - l].next = u + 1;
					CRASH(caught_line);
					S[1 - l].f[j] = IN
				:: else ->
					S[1 - l].f[j] = IN;
					CRASH(caught_file);
					S[1 - l].uid[j] = u; MARK(1 - l, j);
					S[1 - l].next = u + 1
				fi;
#else
				S[1 - l].f[j] = IN; S[1 - l].uid[j] = u;
				S[1 - l].next = u + 1;
#endif
				CRASH(caughtup)
			fi }
		od
	:: else
	fi;
#endif
	atomic {
		CHECK;
		u = S[l].next;
		if
		:: two && S[1 - l].next > u -> u = S[1 - l].next
		:: else
		fi;
		au[n] = u; p = 0; j = 0;
		if :: two -> S[1 - l].lg[n] = INTENT :: else fi;
		CRASH(intent_f)
	}
	atomic { CHECK; S[l].lg[n] = INTENT; CRASH(intent_l) }
#ifdef FILE_FIRST
	atomic { CHECK_RENAME; if :: two -> commit(1 - l, n) :: else fi; CRASH(file_f) }
	atomic { CHECK_RENAME; commit(l, n); CRASH(file_l) }
#endif
#ifndef FOLLOWER_LINE_FIRST
	/* The leader's first: then no UID is used on the follower that a client
	 * could still be given on the leader. */
	atomic { CHECK; S[l].uid[n] = u; raise(l, u); CRASH(line_l) }
#endif
	atomic {
		CHECK;
		if
		:: two -> S[1 - l].uid[n] = u; MARK(1 - l, n); raise(1 - l, u)
		:: else
		fi;
		CRASH(line_f)
	}
#ifdef FOLLOWER_LINE_FIRST
	atomic { CHECK; S[l].uid[n] = u; raise(l, u); CRASH(line_l) }
#endif
#ifndef FILE_FIRST
	atomic { CHECK_RENAME; if :: two -> commit(1 - l, n) :: else fi; CRASH(file_f) }
	atomic { CHECK_RENAME; commit(l, n); CRASH(file_l) }
#endif
	atomic { CHECK; if :: two -> S[1 - l].lg[n] = DONE :: else fi; CRASH(done_f) }
	atomic { CHECK; S[l].lg[n] = DONE; CRASH(done_l) }
out:	atomic {
		if
		:: S[0].f[n] == TMP -> S[0].f[n] = NOFILE
		:: else
		fi;
		if
		:: S[1].f[n] == TMP -> S[1].f[n] = NOFILE
		:: else
		fi;
		drop(1, me); drop(0, me);
		CRASH(status)			/* Postfix never learns of it */
		finished++; k = 0; n = 0; e = 0; l = 0; p = 0; j = 0; u = 0;
		two = false; known = false;
		goto end
	}
crashed: atomic {
		if :: S[0].lock == me -> S[0].stale = true :: else fi;
		if :: S[1].lock == me -> S[1].stale = true :: else fi;
		k++; p = 0; j = 0; u = 0; known = false;
#ifdef TWIN
		if
		:: k0 > 0 -> finished++; goto end
		:: else
		fi
#endif
	}
	goto again;
end:	skip
}

inline observe(i)
{
	i = 0;
	do
	:: i < NN ->
		if
		:: S[sess].f[i] == IN && S[sess].uid[i] != 0 ->
			/* one meaning for one UID, for ever */
			assert(seen[S[sess].uid[i]] == 0 ||
			       seen[S[sess].uid[i]] == i + 1);
			seen[S[sess].uid[i]] = i + 1
		:: else
		fi;
		i++
	:: else -> break
	od;
	assert(S[sess].next >= seennext);	/* UIDNEXT never shrinks */
	seennext = S[sess].next;
	i = 0
}

inline breaklock(s)
{
	if
	:: S[s].stale -> S[s].lock = 0; S[s].stale = false
	:: else
	fi
}

proctype client()
{
	byte i;

	do
	:: atomic { sess == NOBODY && cand == NOBODY && EFF != CUT && !alldone ->
		cand = LEADER(EFF)
#ifndef LATE_LOGIN
		; sess = cand; cand = NOBODY
#endif
	   }
#ifdef LATE_LOGIN
	:: atomic { cand != NOBODY && !alldone -> sess = cand; cand = NOBODY }
#endif
	:: atomic { sess != NOBODY && FREE(sess) && !alldone ->
		breaklock(sess); number(sess, i); observe(i) }
	:: atomic { sess != NOBODY && FREE(sess) && !alldone && !appended ->
		breaklock(sess); number(sess, i);
		S[sess].f[APP] = IN; S[sess].uid[APP] = S[sess].next;
		S[sess].next++; appended = true; observe(i) }
#ifdef GHOST			/* stored and expunged at once */
	:: atomic { sess != NOBODY && FREE(sess) && !alldone && !burned ->
		breaklock(sess); number(sess, i); S[sess].next++; burned = true;
		observe(i) }
#endif
	:: atomic { sess != NOBODY && !expunged[0] && S[sess].f[0] == IN && !alldone &&
		S[sess].uid[0] != 0 && seen[S[sess].uid[0]] == 1 ->
		S[sess].f[0] = NOFILE; expunged[0] = true }
	:: atomic { alldone -> break }
	od
}

inline takeboth(who)
{
	take(0, who); take(1, who)
}

inline dropboth(who)
{
	drop(1, who); drop(0, who)
}

proctype mirror()
{
	byte i, n, l;
#ifdef RESTORE
	bool bad;
#endif

	do
	:: atomic { n < MAXM && BOTH(EFF) -> n++ };
		takeboth(MIRROR);
		atomic {
			if
			:: BOTH(EFF) -> l = LEADER(EFF); i = 0
			:: else -> i = NN
			fi;
#ifdef RESTORE				/* nothing in it is removed */
			compare(l, i, bad);
			if
			:: bad || !BOTH(EFF) -> i = NN; bad = false
			:: else
			fi
#endif
		}
		do
		:: atomic { i < NN -> mirror_one(l, i); i++ }
		:: atomic { i >= NN -> i = 0; l = 0; break }
		od;
		dropboth(MIRROR)
	:: atomic { moved -> break }
	od
}

inline pass(l)
{
	i = 0;
	do
	:: atomic { i < NN -> mirror_one(l, i); i++ }
	:: atomic { i >= NN -> i = 0; break }
	od;
	atomic {
		raise(1 - l, S[l].next - 1)	/* the floor */
	}
}

/* Before the mirror's last pass: the follower lacks nothing of the leader's below
 * its next UID, whatever crashed. */
inline follows(l)
{
#ifdef RACY
	skip
#else
	atomic {
		i = 0;
		do
		:: i < NN ->
			assert(S[l].f[i] != IN || S[l].uid[i] == 0 ||
			       S[1 - l].f[i] == IN || LATER ||
			       S[l].uid[i] >= S[1 - l].next);
			i++
		:: else -> i = 0; break
		od
	}
#endif
}

inline resolve(l)
{
#ifdef NO_RESOLVE
	skip
#else
	i = 0;
#ifdef RESTORE
	atomic {
		compare(l, i, bad);
		if
		:: bad -> i = NN; bad = false
		:: else
		fi
	};
#endif
	do
	:: atomic { i < NN -> resolve_one(l, i); i++ }
	:: atomic { i >= NN -> i = 0; break }
	od
#endif
}

#ifdef GHOST
/*
 * A session on the side that led, which no kick has reached: it numbers what has no
 * line, and stores a message of its own, once.  It expunges nothing.
 */
proctype ghost()
{
	byte i, s;

	do
	:: atomic { served && !alldone && BOTH(EFF) && FREE(1 - LEADER(EFF)) ->
		s = 1 - LEADER(EFF); breaklock(s); number(s, i);
		i = 0; s = 0 }
	:: atomic { served && !alldone && BOTH(EFF) && !strayed &&
		FREE(1 - LEADER(EFF)) ->
		s = 1 - LEADER(EFF); breaklock(s); number(s, i);
		S[s].f[STRAY] = IN; S[s].uid[STRAY] = S[s].next; S[s].next++;
		strayed = true; i = 0; s = 0 }
	:: atomic { alldone -> break }
	od
}
#endif

#ifdef EFFECT
/*
 * A program of an rc file has run for any time: what it did is logged under the locks,
 * and whoever has the locks decides what others left.  By whom?
 */
proctype effect()
{
	byte i, l;
	bool two;

	atomic { BOTH(EFF) || moved -> l = LEADER(EFF); two = BOTH(EFF) };
	if
	:: two ->
		takeboth(EFFECT_);
#ifndef STALE_EFFECT
		atomic {
			if
			:: EFF == CUT -> l = LEADER(from)
			:: else -> l = LEADER(EFF); two = BOTH(EFF)
			fi
		};
#endif
		if
		:: two -> resolve(l)
		:: else		/* one side alone is written by now */
		fi;
		dropboth(EFFECT_)
	:: else
	fi
}
#endif

inline barrier()
{
#ifdef NO_BARRIER
	skip
#else
	takeboth(MOVER);
	resolve(LEADER(from));		/* a lock that was broken may leave one */
	dropboth(MOVER)
#endif
}

/* from a two-sided state, by a cutover, to the other one */
inline cutover(a, b)
{
	do
	:: atomic { st == a -> from = a; st = CUT; ver++; my = ver; expired = false; dual = false };
		barrier();
		atomic {
			if :: st == CUT && ver == my && EFF == CUT -> frozen = true :: else fi;
			sess = NOBODY		/* kick */
		};
		takeboth(MOVER);
		resolve(LEADER(a));
		follows(LEADER(a));
		pass(LEADER(a));
		dropboth(MOVER);
#ifdef LEASE_CLOCK
		ok = (EFF == CUT);	/* the guard looks at the clock ... */
		atomic {		/* ... the write comes later */
			if
			:: ok && st == CUT && ver == my ->
#else
		atomic {
			if
			:: st == CUT && ver == my ->
#endif
#ifdef GHOST
				S[LEADER(a)].led = S[LEADER(a)].next; served = true;
#endif
				st = b; ver++; frozen = false; dual = true; expired = false; break
			:: else ->		/* lost the lease: once more */
				if
				:: st == CUT -> st = a; ver++; expired = false; frozen = false; dual = true
				:: else
				fi
			fi
		}
	od
}

proctype mover()
{
	byte i, my;
#ifdef RESTORE
	bool bad;
#endif
#ifdef LEASE_CLOCK
	bool ok;
#endif

	/* seed, in old */
	takeboth(MOVER); pass(0); dropboth(MOVER);
	atomic { from = OLD; st = OVER; ver++ };
	barrier();
	dual = true;
#ifdef RESTORE			/* it stays in overlap: a step would refuse */
	skip;
#elif defined(FORCED)
	/* old is gone for good: nothing can be asked of it any more */
	takeboth(MOVER);
	atomic {
		st = NEW; ver++; dual = false; sess = NOBODY;
		S[1].next = S[1].next + MARGIN
	};
	dropboth(MOVER);
#else
	cutover(OVER, SETTLE);
#endif
#ifdef ROLLBACK
	cutover(SETTLE, OVER);
#endif
#ifdef FINISH
	atomic { from = SETTLE; st = NEW; ver++; dual = false };
	barrier();
#endif
	moved = true
}

#ifdef RESTORE
/*
 * Old is restored as it was before it had name i, or while that lay in tmp/; then
 * perhaps a client stores something, which gets the UID.
 */
proctype restore()
{
	byte i;

	if
	:: atomic { !alldone && st == OVER && FREE(0) && FREE(1) ->
		i = 0;
		do
		:: i < APP && !restored ->
			if
			:: S[0].f[i] == IN && S[0].uid[i] != 0 &&
			   S[1].f[i] == IN ->
				restored = true;
				S[0].next = S[0].uid[i]; S[0].uid[i] = 0;
				if
				:: S[0].f[i] = TMP; S[0].lg[i] = INTENT
				:: S[0].f[i] = NOFILE; S[0].lg[i] = NOLOG
				fi;
				if
				:: S[0].f[APP] = IN; S[0].uid[APP] = S[0].next;
					S[0].next++
				:: true
				fi
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0 }
	:: atomic { alldone -> skip }
	fi
}
#endif

/* The window ends, by the clock of whoever looks at it: at any moment. */
proctype clock()
{
	byte x;

	do
	:: atomic { st == CUT && x < MAXX && !expired ->
		x++; frozen = false;
#ifdef LEASE_CLOCK
		expired = true
#else
		st = from; ver++; dual = true
#endif
	   }
	:: atomic { moved -> x = 0; break }
	od
}

#ifdef STALL
/* A deliverer sleeps so long that others take its lock for stale. */
proctype stall()
{
	do
	:: atomic { ncrash < MAXC && S[0].lock > 0 && S[0].lock <= ENDS && !S[0].stale ->
		ncrash++; S[0].stale = true }
	:: atomic { ncrash < MAXC && S[1].lock > 0 && S[1].lock <= ENDS && !S[1].stale ->
		ncrash++; S[1].stale = true }
	:: atomic { alldone -> break }
	od
}
#endif

proctype judge()
{
	byte i, l, m, c;

	atomic {
		finished == ENDS && moved -> alldone = true;
		l = LEADER(st); m = 0;
#ifdef FORCED				/* only what a client sees is judged */
		m = NM; appended = false;
#endif
		breaklock(0); breaklock(1);
#ifdef RESTORE			/* what was accepted is on one side at least */
		do
		:: m < NM && !deferred[m] ->
			c = 0; i = m * NA;
			do
			:: i < (m + 1) * NA ->
				c = c + (S[0].f[i] == IN || S[1].f[i] == IN);
				i++
			:: else -> break
			od;
			assert(c >= 1);
			m++
		:: m < NM && deferred[m] -> m++
		:: else -> break
		od;
		goto judged;
#endif
		do
		:: m < NM ->
			c = 0; i = m * NA;
			do
			:: i < (m + 1) * NA ->
				assert(!(expunged[i] && S[l].f[i] == IN)); /* raised from the dead */
				if :: S[l].f[i] == IN || expunged[i] -> c++ :: else fi;
				i++
			:: else -> break
			od;
			assert(c == 1);		/* neither lost nor doubled */
			m++
		:: else -> break
		od;
		assert(!appended || S[l].f[APP] == IN);
#ifdef GHOST
		assert(!strayed || S[l].f[STRAY] == IN || S[1 - l].f[STRAY] == IN);
#endif
		number(l, i);
#ifdef RACY			/* such a message may need the mirror to agree */
		i = 0;
		do
		:: i < NN -> mirror_one(l, i); i++
		:: else -> break
		od;
#endif
		/* a pass makes the follower equal; names that both have agree already */
		i = 0;
		do
		:: i < NN ->
			assert(!BOTH(st) || S[0].f[i] != IN || S[1].f[i] != IN ||
			       S[0].uid[i] == S[1].uid[i]);
			/* delivered in two-sided states: on both, but for expunges */
			assert(!BOTH(st) || S[l].f[i] != IN || S[1 - l].f[i] == IN ||
			       LATER || S[l].uid[i] >= S[1 - l].next);
			i++
		:: else -> break
		od;
#ifdef RESTORE
judged:		skip
#endif
	}
}

init {
	atomic {
		S[0].next = 1; S[1].next = 1;
		int m = 0;
		do
		:: m < NM -> run lda(m, 0, m + 1); m++
		:: else -> break
		od;
#ifdef TWIN
		run lda(0, MAXC + 1, NM + 1);
#endif
#ifdef STALL
		run stall();
#endif
#ifdef EFFECT
		run effect();
#endif
#ifdef GHOST
		run ghost();
#endif
#ifdef RESTORE
		run restore();
#else
		run client();
#endif
		run mirror(); run mover(); run clock(); run judge()
	}
}
