/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cw/outcome.h"

const char *
cw_outcome_word(int outcome)
{
	switch (outcome) {
#define X(name, value, word, text) case (value): return word;
	CW_OUTCOME_MAP(X)
#undef X
	default:
		return "unknown";
	}
}

const char *
cw_outcome_text(int outcome)
{
	switch (outcome) {
#define X(name, value, word, text) case (value): return text;
	CW_OUTCOME_MAP(X)
#undef X
	default:
		return "an outcome that this version does not know";
	}
}

struct sw_text {
	unsigned int sw, mask;
	const char *text;
};

/* ISO/IEC 7816-4:2005, tables 5 and 6; 91XX: ETSI TS 102 221, 10.2.1.1. The
 * first that matches speaks. */
static const struct sw_text sw_texts[] = {
	{ 0x0000, 0xffff, "no status word: the card did not answer" },
	{ 0x9000, 0xffff, "success" },
	{ 0x9100, 0xff00, "success, a proactive command is pending" },
	{ 0x9862, 0xffff, "authentication failed: wrong key or MAC" },
	{ 0x6100, 0xff00, "success, more response data waits" },
	{ 0x6281, 0xffff, "returned data may be corrupted" },
	{ 0x6282, 0xffff, "end of file before Le bytes" },
	{ 0x6283, 0xffff, "the selected file is deactivated" },
	{ 0x6285, 0xffff, "the selected file is terminated" },
	{ 0x63c0, 0xfff0, "wrong PIN or key, the last digit counts the tries left" },
	{ 0x6581, 0xffff, "memory failure while writing: worn or faulty chip" },
	{ 0x6500, 0xff00, "execution error after memory was changed" },
	{ 0x6700, 0xff00, "wrong length: the profile does not fit this card" },
	{ 0x6881, 0xffff, "logical channels are not supported" },
	{ 0x6882, 0xffff, "secure messaging is not supported" },
	{ 0x6883, 0xffff, "last command of a chain expected" },
	{ 0x6884, 0xffff, "command chaining is not supported" },
	{ 0x6981, 0xffff, "file structure does not suit the command, "
	    "or a flash fault of the bootloader" },
	{ 0x6982, 0xffff, "security status not satisfied: key or PIN not "
	    "presented, or a COS is active already" },
	{ 0x6983, 0xffff, "authentication blocked: no tries left" },
	{ 0x6984, 0xffff, "reference data not usable" },
	{ 0x6985, 0xffff, "conditions of use not satisfied: wrong order of steps" },
	{ 0x6986, 0xffff, "command not allowed: no file is selected" },
	{ 0x6987, 0xffff, "secure messaging objects missing" },
	{ 0x6988, 0xffff, "secure messaging objects incorrect: wrong session key" },
	{ 0x6999, 0xffff, "applet selection failed" },
	{ 0x6a80, 0xffff, "wrong data: a value or its check is not accepted" },
	{ 0x6a81, 0xffff, "function not supported" },
	{ 0x6a82, 0xffff, "file or application not found: wrong card type or COS" },
	{ 0x6a83, 0xffff, "record not found" },
	{ 0x6a84, 0xffff, "not enough memory in the file" },
	{ 0x6a86, 0xffff, "wrong P1 P2" },
	{ 0x6a87, 0xffff, "Lc does not suit P1 P2" },
	{ 0x6a88, 0xffff, "referenced data not found: no such key or PIN" },
	{ 0x6a89, 0xffff, "the file exists already" },
	{ 0x6a8a, 0xffff, "the name exists already" },
	{ 0x6b00, 0xff00, "wrong parameters: offset or address outside" },
	{ 0x6c00, 0xff00, "wrong Le, the second byte tells the right one" },
	{ 0x6d00, 0xff00, "instruction not supported: no COS, or another card type" },
	{ 0x6e00, 0xff00, "class not supported: no COS, or another card type" },
	{ 0x6f00, 0xff00, "the card gives no precise diagnosis" },
	{ 0x6200, 0xff00, "warning, memory unchanged" },
	{ 0x6300, 0xff00, "warning, memory changed" },
	{ 0x6400, 0xff00, "execution error, memory unchanged" },
	{ 0x6600, 0xff00, "security related issue" },
	{ 0x6800, 0xff00, "function of the class byte not supported" },
	{ 0x6900, 0xff00, "command not allowed" },
	{ 0x6a00, 0xff00, "wrong parameters P1 P2" },
};

const char *
cw_sw_text(unsigned int sw)
{
	size_t i;

	for (i = 0; i < sizeof sw_texts / sizeof sw_texts[0]; i++)
		if ((sw & sw_texts[i].mask) == sw_texts[i].sw)
			return sw_texts[i].text;
	return "a status word of the card maker's own";
}
