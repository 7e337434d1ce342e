/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <PCSC/ifdhandler.h>
#include <PCSC/reader.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "ifd/feature.h"
#include "ifd/reader.h"

/*
 * The ten calls of an IFD handler 3.0, as pcscd makes them.  Lun: reader in the
 * high half, slot in the low.
 */
#define EXPORT __attribute__((visibility("default")))
#define READERS_MAX PCSCLITE_MAX_READERS_CONTEXTS

/* pcscd has it; another host of IFD handlers may not. */
extern void log_msg(const int priority, const char *fmt, ...)
    __attribute__((weak, format(printf, 2, 3)));

struct place {
	DWORD number;		/* high half of Lun */
	unsigned int users;	/* channels open */
	uint8_t slots;		/* announced */
	uint8_t max;		/* of DEVICENAME; 0: any */
	struct cw_ifd_reader *r;	/* NULL: free */
	UCHAR atr[CW_RLINK_SLOTS_MAX][MAX_ATR_SIZE];
	DWORD atr_len[CW_RLINK_SLOTS_MAX];
};

static struct place places[READERS_MAX];
static pthread_mutex_t places_mu = PTHREAD_MUTEX_INITIALIZER;

static void
say(int level, const char *text)
{
	if (log_msg != NULL)
		log_msg(level == 0 ? 2 : 1, "cardwright: %s", text);
	else
		fprintf(stderr, "cardwright: %s\n", text);
}

static const struct cw_ifd_log to_pcscd = { say };

/* NULL when there is no such reader or slot. */
static struct place *
place_of(DWORD Lun)
{
	struct place *found = NULL;
	size_t i;

	pthread_mutex_lock(&places_mu);
	for (i = 0; i < READERS_MAX; i++)
		if (places[i].r != NULL && places[i].number == Lun >> 16)
			found = &places[i];
	pthread_mutex_unlock(&places_mu);
	return found != NULL && (Lun & 0xffff) < CW_RLINK_SLOTS_MAX ? found : NULL;
}

static uint8_t
slot_of(DWORD Lun)
{
	return (uint8_t)(Lun & 0xffff);
}

/*
 * pcscd gives the first free context and wants one behind it for each further
 * slot; it drops the whole reader when they do not fit.
 */
static uint8_t
slots_announced(const struct place *p)
{
	DWORD left = p->number < READERS_MAX ? READERS_MAX - p->number : 1;
	uint8_t n = cw_ifd_slots(p->r);

	if (p->max != 0 && n > p->max)
		n = p->max;
	return n > left ? (uint8_t)left : n;
}

/* The opened one gets a place; false: none is free. */
static struct place *
place_take(DWORD number)
{
	size_t i;

	for (i = 0; i < READERS_MAX; i++)
		if (places[i].r == NULL)
			break;
	if (i == READERS_MAX)
		return NULL;
	memset(&places[i], 0, sizeof places[i]);
	places[i].number = number;
	return &places[i];
}

static RESPONSECODE
place_open(DWORD Lun, const char *name)
{
	struct cw_ifd_device d;
	struct place *p;
	char err[512];

	if (cw_ifd_device_parse(&d, name, err, sizeof err) < 0) {
		say(0, err);
		return IFD_COMMUNICATION_ERROR;
	}
	p = place_take(Lun >> 16);
	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	p->r = cw_ifd_open(&d, &to_pcscd, err, sizeof err);
	if (p->r == NULL) {
		say(0, err);
		return IFD_COMMUNICATION_ERROR;
	}
	p->users = 1;
	p->max = d.slots;
	p->slots = slots_announced(p);
	if (p->slots < cw_ifd_slots(p->r))
		say(1, "not all slots of the reader are announced: pcscd has no "
		    "more places, or slots= says so");
	return IFD_SUCCESS;
}

EXPORT RESPONSECODE
IFDHCreateChannelByName(DWORD Lun, LPSTR DeviceName)
{
	struct place *p = place_of(Lun);
	RESPONSECODE rv = IFD_SUCCESS;

	/* A further slot of a reader that is open. */
	pthread_mutex_lock(&places_mu);
	if (p != NULL)
		p->users++;
	else
		rv = place_open(Lun, DeviceName);
	pthread_mutex_unlock(&places_mu);
	return rv;
}

/* A channel number names no network address. */
EXPORT RESPONSECODE
IFDHCreateChannel(DWORD Lun, DWORD Channel)
{
	(void)Lun;
	(void)Channel;
	say(0, "reader.conf: give DEVICENAME tcp:HOST:PORT, not CHANNELID alone");
	return IFD_COMMUNICATION_ERROR;
}

EXPORT RESPONSECODE
IFDHCloseChannel(DWORD Lun)
{
	struct place *p = place_of(Lun);

	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	pthread_mutex_lock(&places_mu);
	if (--p->users == 0) {
		cw_ifd_close(p->r);
		cw_wipe(p, sizeof *p);
	}
	pthread_mutex_unlock(&places_mu);
	return IFD_SUCCESS;
}

/* ---- capabilities ------------------------------------------------------------ */

static RESPONSECODE
poll_card(DWORD Lun, int timeout_ms)
{
	struct place *p = place_of(Lun);

	if (p == NULL)
		return IFD_NO_SUCH_DEVICE;
	cw_ifd_poll(p->r, slot_of(Lun), timeout_ms);
	return IFD_SUCCESS;
}

static RESPONSECODE
poll_stop(DWORD Lun)
{
	struct place *p = place_of(Lun);

	if (p == NULL)
		return IFD_NO_SUCH_DEVICE;
	cw_ifd_poll_stop(p->r, slot_of(Lun));
	return IFD_SUCCESS;
}

static RESPONSECODE
give(PDWORD Length, PUCHAR Value, const void *buf, DWORD len)
{
	if (*Length < len || Value == NULL)
		return IFD_ERROR_INSUFFICIENT_BUFFER;
	memcpy(Value, buf, len);
	*Length = len;
	return IFD_SUCCESS;
}

static RESPONSECODE
give_byte(PDWORD Length, PUCHAR Value, UCHAR byte)
{
	return give(Length, Value, &byte, 1);
}

/* The attributes of PC/SC part 3 that say what this is. */
static RESPONSECODE
give_about(struct place *p, DWORD Tag, PDWORD Length, PUCHAR Value)
{
	struct cw_rl_hello_ok m;
	char text[2 * sizeof m.serial + 1];
	uint32_t version = 0x00010000;

	if (!cw_ifd_about(p->r, &m))
		return IFD_COMMUNICATION_ERROR;
	switch (Tag) {
	case SCARD_ATTR_VENDOR_NAME:
		return give(Length, Value, "cardwright", sizeof "cardwright");
	case SCARD_ATTR_VENDOR_IFD_TYPE:
		return give(Length, Value, m.firmware,
		    (DWORD)strlen(m.firmware) + 1);
	case SCARD_ATTR_VENDOR_IFD_VERSION:
		return give(Length, Value, &version, sizeof version);
	case SCARD_ATTR_VENDOR_IFD_SERIAL_NO:
		cw_hex(text, m.serial, sizeof m.serial);
		return give(Length, Value, text, sizeof text);
	default:
		return IFD_ERROR_TAG;
	}
}

EXPORT RESPONSECODE
IFDHGetCapabilities(DWORD Lun, DWORD Tag, PDWORD Length, PUCHAR Value)
{
	static RESPONSECODE (*const wait)(DWORD, int) = poll_card;
	static RESPONSECODE (*const stop)(DWORD) = poll_stop;
	static const uint32_t max_input = 65544;
	struct place *p = place_of(Lun);
	uint8_t slot = slot_of(Lun);

	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	switch (Tag) {
	case TAG_IFD_ATR:
	case SCARD_ATTR_ATR_STRING:
		return give(Length, Value, p->atr[slot], p->atr_len[slot]);
	case TAG_IFD_SIMULTANEOUS_ACCESS:
		return give_byte(Length, Value, READERS_MAX);
	case TAG_IFD_THREAD_SAFE:
	case TAG_IFD_SLOT_THREAD_SAFE:
		return give_byte(Length, Value, 1);
	case TAG_IFD_SLOTS_NUMBER:
		return give_byte(Length, Value, p->slots);
	case TAG_IFD_POLLING_THREAD_WITH_TIMEOUT:
		return give(Length, Value, &wait, sizeof wait);
	case TAG_IFD_STOP_POLLING_THREAD:
		return give(Length, Value, &stop, sizeof stop);
	case TAG_IFD_POLLING_THREAD_KILLABLE:
		return give_byte(Length, Value, 0);
	case SCARD_ATTR_MAXINPUT:
		return give(Length, Value, &max_input, sizeof max_input);
	case SCARD_ATTR_ICC_PRESENCE:
		return give_byte(Length, Value, cw_ifd_present(p->r, slot) ? 2 : 0);
	default:
		return give_about(p, Tag, Length, Value);
	}
}

EXPORT RESPONSECODE
IFDHSetCapabilities(DWORD Lun, DWORD Tag, DWORD Length, PUCHAR Value)
{
	(void)Tag;
	(void)Length;
	(void)Value;
	return place_of(Lun) == NULL ? IFD_COMMUNICATION_ERROR : IFD_NOT_SUPPORTED;
}

/* ---- the card ---------------------------------------------------------------- */

EXPORT RESPONSECODE
IFDHSetProtocolParameters(DWORD Lun, DWORD Protocol, UCHAR Flags, UCHAR PTS1,
    UCHAR PTS2, UCHAR PTS3)
{
	struct place *p = place_of(Lun);
	struct cw_rl_card_state st;
	uint8_t slot = slot_of(Lun), t;
	int err;

	(void)PTS2;
	(void)PTS3;
	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	if (Protocol != SCARD_PROTOCOL_T0 && Protocol != SCARD_PROTOCOL_T1)
		return IFD_PROTOCOL_NOT_SUPPORTED;
	t = Protocol == SCARD_PROTOCOL_T1;
	err = cw_ifd_params(p->r, slot, t,
	    (Flags & IFD_NEGOTIATE_PTS1) != 0 ? PTS1 : 0);

	/* A card that refuses to be faster was reset, and is as good as before. */
	if (err == CW_EPROTO && cw_ifd_query(p->r, slot, &st) == 0 &&
	    (st.flags & CW_RL_CARD_POWERED) != 0 && st.protocol == t)
		err = 0;
	if (err == CW_EUNSUPPORTED)
		return IFD_PROTOCOL_NOT_SUPPORTED;
	if (err == CW_EPROTO)
		return IFD_ERROR_PTS_FAILURE;
	return err < 0 ? IFD_COMMUNICATION_ERROR : IFD_SUCCESS;
}

EXPORT RESPONSECODE
IFDHPowerICC(DWORD Lun, DWORD Action, PUCHAR Atr, PDWORD AtrLength)
{
	struct place *p = place_of(Lun);
	enum cw_rl_card_action how = CW_RL_CARD_OFF;
	uint8_t slot = slot_of(Lun);
	struct cw_rl_card_state st;
	int err;

	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	if (Action == IFD_POWER_UP)
		how = CW_RL_CARD_COLD;
	else if (Action == IFD_RESET)
		how = CW_RL_CARD_WARM;
	else if (Action != IFD_POWER_DOWN)
		return IFD_NOT_SUPPORTED;
	p->atr_len[slot] = 0;
	*AtrLength = 0;
	err = cw_ifd_power(p->r, slot, how, &st);
	if (err == CW_ECLOSED || err == CW_EBUSY)
		return how == CW_RL_CARD_OFF ? IFD_SUCCESS : IFD_COMMUNICATION_ERROR;
	if (err < 0)
		return how == CW_RL_CARD_OFF ? IFD_SUCCESS : IFD_ERROR_POWER_ACTION;
	if (how == CW_RL_CARD_OFF)
		return IFD_SUCCESS;
	memcpy(p->atr[slot], st.atr, st.atr_len);
	p->atr_len[slot] = st.atr_len;
	memcpy(Atr, st.atr, st.atr_len);
	*AtrLength = st.atr_len;
	return IFD_SUCCESS;
}

EXPORT RESPONSECODE
IFDHTransmitToICC(DWORD Lun, SCARD_IO_HEADER SendPci, PUCHAR TxBuffer,
    DWORD TxLength, PUCHAR RxBuffer, PDWORD RxLength, PSCARD_IO_HEADER RecvPci)
{
	struct place *p = place_of(Lun);
	size_t len = *RxLength;
	int err;

	*RxLength = 0;
	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	err = cw_ifd_apdu(p->r, slot_of(Lun), TxBuffer, TxLength, RxBuffer, &len);
	if (RecvPci != NULL)
		RecvPci->Protocol = SendPci.Protocol;
	switch (err) {
	case 0:
		*RxLength = (DWORD)len;
		return IFD_SUCCESS;
	case CW_EREMOVED:
		return IFD_ICC_NOT_PRESENT;
	case CW_EFULL:
		return IFD_ERROR_INSUFFICIENT_BUFFER;
	case CW_ETIMEOUT:
		return IFD_RESPONSE_TIMEOUT;
	default:
		return IFD_COMMUNICATION_ERROR;
	}
}

EXPORT RESPONSECODE
IFDHControl(DWORD Lun, DWORD dwControlCode, PUCHAR TxBuffer, DWORD TxLength,
    PUCHAR RxBuffer, DWORD RxLength, LPDWORD pdwBytesReturned)
{
	struct place *p = place_of(Lun);
	struct cw_ifd_buf tx = { TxBuffer, TxLength }, rx = { RxBuffer, RxLength };
	int n;

	if (pdwBytesReturned == NULL || p == NULL)
		return IFD_COMMUNICATION_ERROR;
	*pdwBytesReturned = 0;
	n = cw_ifd_control(p->r, slot_of(Lun), (uint32_t)dwControlCode, tx, rx);
	if (n == CW_EUNSUPPORTED)
		return IFD_ERROR_NOT_SUPPORTED;
	if (n == CW_EFULL)
		return IFD_ERROR_INSUFFICIENT_BUFFER;
	if (n < 0)
		return IFD_COMMUNICATION_ERROR;
	*pdwBytesReturned = (DWORD)n;
	return IFD_SUCCESS;
}

EXPORT RESPONSECODE
IFDHICCPresence(DWORD Lun)
{
	struct place *p = place_of(Lun);

	if (p == NULL)
		return IFD_COMMUNICATION_ERROR;
	return cw_ifd_present(p->r, slot_of(Lun)) ? IFD_ICC_PRESENT :
	    IFD_ICC_NOT_PRESENT;
}
