/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_OUTCOME_H
#define CW_OUTCOME_H

/*
 * How the attempt on one card ended: a stable numbered list, told upward from
 * reader to terminal to platform and kept in every record.  docs/spec/outcome.md
 * explains each to an operator and is tested against this list.
 *
 * X(NAME, number, "cause-word", "sentence with the likely cause and the remedy")
 *
 * Whether an attempt counts as IN DOUBT is not in the code but in a flag beside
 * it (personal bytes may have reached the card and the end is unknown).
 */
#define CW_OUTCOME_MAP(X) \
	X(GOOD, 0, "good", "written and verified") \
	X(MUTE, 1, "mute", "no answer to reset: dirty contacts, card upside down or dead chip") \
	X(ATR_BAD, 2, "atr-bad", "the answer to reset is malformed") \
	X(ATR_OTHER, 3, "atr-other", "the card is of another type than the profile names") \
	X(PPS_FAIL, 4, "pps-fail", "the card refused or garbled the speed negotiation") \
	X(SW, 5, "status-word", "the card answered a status word that the profile does not allow") \
	X(COMPARE, 6, "read-back", "what was read back differs from what was written") \
	X(TIMEOUT, 7, "timeout", "the card stopped answering: bad contact or a hung chip") \
	X(PARITY, 8, "parity", "characters stayed wrong after every repetition: bad contact or noise") \
	X(PROTO, 9, "protocol", "the card broke the transmission protocol") \
	X(REMOVED, 10, "removed", "the card left the contacts during the attempt") \
	X(NO_COS, 11, "no-cos", "the card has no operating system and refused personal data") \
	X(STORE, 12, "store", "the reader does not hold the image that the program names") \
	X(PROGRAM, 13, "program", "the program is malformed for this reader") \
	X(SKIPPED, 14, "skipped", "not begun because the step before it failed") \
	X(ABORTED, 15, "aborted", "stopped by the terminal") \
	X(READER_LOST, 16, "reader-lost", "the reader restarted or could not be reached any more") \
	X(TERMINAL_LOST, 17, "terminal-lost", "the terminal stopped before the result was recorded") \
	X(DEVICE, 18, "device", "the machine lost, jammed or mis-sorted the card") \
	X(PROFILE, 19, "profile", "the card profile could not make a program of this record") \
	X(NOT_FED, 20, "not-fed", "no card was drawn for this attempt") \
	X(NO_BOOT, 21, "no-boot", "the chip's bootloader refused to start or to take the image") \
	X(OVERCURRENT, 22, "overcurrent", "the card drew too much current and was switched off") \
	X(ASK_LOST, 23, "ask-lost", "the terminal did not answer a program that asked it") \
	X(READER, 24, "reader-fault", "the reader's own circuit could not drive the card") \
	X(STRAY, 25, "stray", "a card that no lease accounts for was found at a station")

enum cw_outcome {
#define X(name, value, word, text) CW_OUT_##name = (value),
	CW_OUTCOME_MAP(X)
#undef X
};

/* Cause word ("status-word"); "unknown" for a number not in the list. Static. */
const char *cw_outcome_word(int outcome);
/* Sentence. Static, never NULL. */
const char *cw_outcome_text(int outcome);

/* Likely cause of an ISO/IEC 7816-4 status word (table 5, 6), in a few words. */
const char *cw_sw_text(unsigned int sw);

#endif
