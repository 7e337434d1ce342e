/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: one personal record, one platform, two terminals with a station
 * and a machine each, links that lose, double and reorder, crashes at every
 * step.  Names are those of the code: platform/ledger.c on one side,
 * terminal/line.c and its siblings on the other; docs/design/ledger.md tells
 * the story.
 *
 * The four rules, and the switch that drops each (a mutant that MUST fail):
 *   (a) INTENT is durable before the first personal byte	-DMUT_INTENT
 *   (b) GOOD is durable before the card may go to the good bin;
 *       INTENT without GOOD goes to the reject bin		-DMUT_GOOD
 *   (c) no new lease by timer, only on RESULT or REVOKED	-DMUT_TIMER
 *   (d) REVOKED only after the epoch is durably fenced		-DMUT_FENCE
 * and one more that the counters of the machine carry:
 *   (e) NONE ("no card was drawn") only when the machine's
 *       fed counter is that of the INTENT			-DMUT_NONE
 *
 * Bounds: CRASH, LOSS, DUP budgets, EPOCHS leases of the record, CAP messages
 * under way.
 * `make model` runs base and mutants; see scripts/model.sh.
 */
#ifndef CRASH
#define CRASH 1
#endif
#ifndef LOSS
#define LOSS 1
#endif
#ifndef DUP
#define DUP 1
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
/* messages under way per link and direction: above 1 they can overtake */
#ifndef CAP
#define CAP 2
#endif

mtype = { LEASE, REVOKE, RESULT, REVOKED, ACK };
/* verdict of a RESULT; J_* also the durable state of the terminal's journal */
#define J_NONE 0
#define J_INTENT 1
#define J_GOOD 2
#define J_REJECT 3	/* card rejected, record surely not usable from it */
#define J_DOUBT 4	/* card rejected, content unknown */
#define J_UNUSED 5	/* no card was drawn */
/* what stands in a station */
#define EMPTY 0
#define BLANK 1
#define WRITTEN 2	/* the record is on it, wholly or in part */

/* platform, durable */
bool issued, leased;
byte holder, epoch;
/* terminal, durable (the journal) */
byte jrn[2], jepoch[2], fence[2], jfed[2];
/* the machine (survives every crash) */
byte station[2], fed[2];
/* the world */
byte good_cards;	/* cards with the record in a good bin */
byte crash_left = CRASH, loss_left = LOSS, dup_left = DUP;

chan to_term[2] = [CAP] of { mtype, byte };
chan to_plat = [CAP] of { mtype, byte, byte, byte };	/* type, epoch, terminal, verdict */

inline send_term(t, m, e)
{
	if
	:: nfull(to_term[t]) -> to_term[t]!m,e
	:: loss_left > 0 -> loss_left--
	:: full(to_term[t]) -> skip
	fi
}

inline send_plat(m, e, t, v)
{
	if
	:: nfull(to_plat) -> to_plat!m,e,t,v
	:: loss_left > 0 -> loss_left--
	:: full(to_plat) -> skip
	fi
}

active proctype platform()
{
	mtype m;
	byte e, t, v;

	do
	/* a free record is leased under the next epoch */
	:: atomic { !issued && !leased && epoch < EPOCHS ->
		epoch++; leased = true;
		if :: holder = 0 :: holder = 1 fi;
		send_term(holder, LEASE, epoch) }
	/* the lease is repeated until it is answered */
	:: atomic { leased && !issued && empty(to_term[holder]) ->
		send_term(holder, LEASE, epoch) }
	/* the line was paused or moved: ask for the record back */
#ifdef MUT_TIMER
	:: atomic { leased && !issued && epoch < EPOCHS -> leased = false }
#else
	:: atomic { leased && !issued && epoch < EPOCHS && empty(to_term[holder]) ->
		send_term(holder, REVOKE, epoch) }
#endif
	:: atomic { to_plat??m,e,t,v ->
		if
		:: dup_left > 0 && nfull(to_plat) -> dup_left--; to_plat!m,e,t,v
		:: skip
		fi;
		if
		:: m == RESULT && v == J_GOOD ->
			/* I3: what is reported issued lies in a good bin */
			assert(good_cards == 1);
#ifdef REACH
			/* not vacuous: this must be refuted, by a run with a
			 * crash, a remake and a success */
			assert(!(epoch == 2 && crash_left < CRASH));
#endif
			issued = true; leased = false;
			send_term(t, ACK, e)
		:: m == RESULT && v != J_GOOD ->
			if
			:: leased && e == epoch -> leased = false
			:: else
			fi;
			send_term(t, ACK, e)
		:: m == REVOKED && leased && e == epoch -> leased = false
		:: else
		fi;
		m = 0; e = 0; t = 0; v = 0 }
	od
}

/* the card leaves for the good bin */
inline bin_good(t)
{
	if
	:: station[t] == WRITTEN -> good_cards++
	:: else
	fi;
	station[t] = EMPTY;
	/* I1: never the same record on two cards in the good bins */
	assert(good_cards <= 1)
}

/* the card leaves for the reject bin under a verdict */
inline bin_reject(t, verdict)
{
	/* I4: a card told as clean carries nothing of the record */
	assert(verdict == J_DOUBT || station[t] != WRITTEN);
	station[t] = EMPTY
}

inline crash_here()
{
	if
	:: crash_left > 0 -> crash_left--; goto recover
	:: skip
	fi
}

proctype terminal(byte t)
{
	mtype m;
	byte e;
	byte have = 0;		/* volatile: epoch of the lease in hand, 0 = none */
	bool ok;

recover:
	have = 0; ok = false; m = 0; e = 0;
	/* recover.c: the journal against the machine's counters */
	atomic {
		if
#ifdef MUT_NONE
		:: jrn[t] == J_INTENT && station[t] == EMPTY -> jrn[t] = J_UNUSED
		:: jrn[t] == J_INTENT && station[t] != EMPTY -> jrn[t] = J_UNUSED
#else
		:: jrn[t] == J_INTENT && fed[t] == jfed[t] -> jrn[t] = J_UNUSED
		:: jrn[t] == J_INTENT && fed[t] != jfed[t] ->
			jrn[t] = J_DOUBT;
			if
			:: station[t] != EMPTY -> bin_reject(t, J_DOUBT)
			:: else
			fi
#endif
		:: jrn[t] == J_GOOD && station[t] != EMPTY -> bin_good(t)
		:: jrn[t] == J_DOUBT && station[t] != EMPTY -> bin_reject(t, J_DOUBT)
		:: jrn[t] == J_REJECT && station[t] != EMPTY -> bin_reject(t, J_REJECT)
		/* a card without any INTENT: nothing personal can be on it */
		:: (jrn[t] == J_NONE || jrn[t] == J_UNUSED) && station[t] != EMPTY ->
			bin_reject(t, J_REJECT)
		:: else
		fi
	}

	do
	:: atomic { crash_left > 0 -> crash_left--; goto recover }

	:: atomic { to_term[t]??m,e ->
		if
		:: dup_left > 0 && nfull(to_term[t]) -> dup_left--; to_term[t]!m,e
		:: skip
		fi;
		if
		/* lease.c: an epoch at or below the fence is dropped */
		:: m == LEASE && jrn[t] == J_NONE && have == 0 && e > fence[t] -> have = e
		:: m == REVOKE && jrn[t] == J_NONE && e >= fence[t] ->
#ifndef MUT_FENCE
			fence[t] = e;
#endif
			have = 0;
			send_plat(REVOKED, e, t, 0)
		:: m == ACK && jrn[t] > J_INTENT && jepoch[t] == e && station[t] == EMPTY ->
			fence[t] = e; jrn[t] = J_NONE; jepoch[t] = 0
		:: else
		fi;
		m = 0; e = 0 }

	/* a record in hand: one card, from INTENT to the bin */
	:: have > 0 && jrn[t] == J_NONE && station[t] == EMPTY ->
#ifndef MUT_INTENT
		atomic { jrn[t] = J_INTENT; jepoch[t] = have; jfed[t] = fed[t] };
#endif
		crash_here();
		atomic { station[t] = BLANK; fed[t]++ };	/* FEED */
		crash_here();
		/* RUN: any end, seen or not; mute blanks never get a byte */
		atomic {
			if
			:: station[t] = WRITTEN; ok = true
			:: station[t] = WRITTEN; ok = false
			:: ok = false
			fi
		};
		crash_here();
		if
		:: ok ->
#ifdef MUT_GOOD
			atomic { bin_good(t) };
			crash_here();
			atomic { jrn[t] = J_GOOD; jepoch[t] = have; have = 0 }
#else
			atomic { jrn[t] = J_GOOD; jepoch[t] = have; have = 0 };
			crash_here();
			atomic { bin_good(t) }
#endif
		:: !ok && station[t] == WRITTEN ->
			atomic { jrn[t] = J_DOUBT; jepoch[t] = have; have = 0 };
			crash_here();
			atomic { bin_reject(t, J_DOUBT) }
		:: !ok && station[t] == BLANK ->
			atomic { jrn[t] = J_REJECT; jepoch[t] = have; have = 0 };
			crash_here();
			atomic { bin_reject(t, J_REJECT) }
		fi;
		ok = false

	/* outbox: the result is repeated until ACK, once the card has left */
	:: atomic { jrn[t] > J_INTENT && station[t] == EMPTY && empty(to_plat) ->
		send_plat(RESULT, jepoch[t], t, jrn[t]) }
	od
}

init
{
	atomic { run terminal(0); run terminal(1) }
}
